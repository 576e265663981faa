//! Runs models and gathers what came of them; makes what they race for.

use std::{
    cell::Cell,
    collections::BTreeSet,
    convert::Infallible,
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver},
    },
    task::{Context, Poll, Waker},
    thread,
};

use http::{Request, Response};
use tower_layer::Layer;
use tower_request_context::{RequestContext, RequestContextLayer, ResponseBody, Store};
use tower_service::Service;

thread_local! {
    /// Whether the two of a race change places. All threads of a model run on that of its test.
    static TURNED: Cell<bool> = const { Cell::new(false) };
}

/// All that may come of a model.
///
/// It is run twice: of the loads of one place loom remembers the last, and leaves out some orders in which a thread
/// that loads and then stores comes after one that only loads. Where the first of a race comes second, it has them.
pub fn outcomes<T>(model: impl Fn() -> T + Send + Sync + 'static) -> BTreeSet<T>
where
    T: Ord + Send + 'static,
{
    let model = Arc::new(model);
    let seen = Arc::new(Mutex::new((0, BTreeSet::new())));
    for is_turned in [false, true] {
        let (model, seen) = (Arc::clone(&model), Arc::clone(&seen));
        TURNED.set(is_turned);
        loom::model(move || {
            let outcome = model();
            let mut seen = seen.lock().unwrap();
            seen.0 += 1;
            seen.1.insert(outcome);
        });
    }
    let (orders, outcomes) = Arc::into_inner(seen).unwrap().into_inner().unwrap();
    println!("{orders:>6} orders of {}", thread::current().name().unwrap_or("a model"));
    outcomes
}

/// Calls two functions at once, each in a thread.
pub fn both<A: 'static, B: 'static>(
    context: &RequestContext,
    first: impl FnOnce(&RequestContext) -> A + 'static,
    second: impl FnOnce(&RequestContext) -> B + 'static,
) -> (A, B) {
    let there = context.clone();
    if TURNED.get() {
        let second = loom::thread::spawn(move || second(&there));
        (first(context), second.join().unwrap())
    } else {
        let first = loom::thread::spawn(move || first(&there));
        let second = second(context);
        (first.join().unwrap(), second)
    }
}

/// A context that holds a one, as a seed or a late value.
pub fn one(is_late: bool) -> RequestContext {
    let mut store = Store::new();
    if is_late {
        store.set(1_u8);
    } else {
        store.insert(1_u8);
    }
    RequestContext::new(store)
}

pub fn get(context: &RequestContext) -> Option<u8> {
    context.get()
}

pub fn set(value: u8) -> impl FnOnce(&RequestContext) {
    move |context| context.set(value)
}

pub fn remove(context: &RequestContext) -> bool {
    context.remove::<u8>()
}

/// How often something was done. It is no part of the model, and so no step of its own.
#[derive(Clone, Default)]
pub struct Calls(Arc<AtomicUsize>);

impl Calls {
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Registers a callback that counts itself.
pub fn on_end(calls: &Calls) -> impl FnOnce(&RequestContext) -> bool + use<> {
    let calls = calls.clone();
    move |context| context.sync_scope(|| RequestContext::on_end(move |_| calls.add())).is_ok()
}

/// A [`Run`](tower_request_context::Run) that is under way, and its context.
pub fn run(store: Store) -> (Pin<Box<impl Future<Output = ()>>>, RequestContext) {
    let (work, context) = work(());
    under_way(store.run(work), &context)
}

/// A request whose service is at work, and its context.
pub fn request() -> (Pin<Box<impl Future<Output = Result<Answer, Infallible>>>>, RequestContext) {
    let (work, context) = work(Ok(Response::new(String::from("the answer"))));
    let mut service = RequestContextLayer::default().layer(Working(Some(work)));
    under_way(service.call(Request::new(())), &context)
}

/// Polls what is under way once more, with which it is done.
pub fn done<F: Future>(mut future: Pin<Box<F>>) -> F::Output {
    match poll(future.as_mut()) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it should be done when it is polled again"),
    }
}

pub type Answer = Response<ResponseBody<String>>;

/// A service of one request.
struct Working<F>(Option<F>);

impl<F: Future<Output = Result<Response<String>, Infallible>>> Service<Request<()>> for Working<F> {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = F;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> F {
        self.0.take().unwrap()
    }
}

/// A future that tells the context it is polled in, and is ready when it is polled again.
fn work<T>(output: T) -> (impl Future<Output = T>, Receiver<RequestContext>) {
    let (sender, receiver) = mpsc::channel();
    let mut output = Some(output);
    let work = poll_fn(move |_| match sender.send(RequestContext::current().unwrap()) {
        Ok(()) => Poll::Pending,
        Err(_) => Poll::Ready(output.take().unwrap()),
    });
    (work, receiver)
}

fn under_way<F: Future>(future: F, context: &Receiver<RequestContext>) -> (Pin<Box<F>>, RequestContext) {
    let mut future = Box::pin(future);
    assert!(poll(future.as_mut()).is_pending());
    (future, context.recv().unwrap())
}

pub fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}
