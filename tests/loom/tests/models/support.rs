//! Runs models, collects their outcomes, and creates the contexts that they share.

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
    /// Whether the two functions of a race swap their threads. All threads of a model run on the OS thread of its test.
    static SWAPPED: Cell<bool> = const { Cell::new(false) };
}

/// Returns all outcomes of a model.
///
/// The model runs twice. loom remembers only the last load of each location, and so leaves out some interleavings in
/// which a thread that loads and then stores comes after one that only loads. With swapped threads, loom runs these as
/// well.
pub fn outcomes<T>(model: impl Fn() -> T + Send + Sync + 'static) -> BTreeSet<T>
where
    T: Ord + Send + 'static,
{
    let model = Arc::new(model);
    let seen = Arc::new(Mutex::new((0, BTreeSet::new())));
    for is_swapped in [false, true] {
        let (model, seen) = (Arc::clone(&model), Arc::clone(&seen));
        SWAPPED.set(is_swapped);
        loom::model(move || {
            let outcome = model();
            let mut seen = seen.lock().unwrap();
            seen.0 += 1;
            seen.1.insert(outcome);
        });
    }
    let (interleavings, outcomes) = Arc::into_inner(seen).unwrap().into_inner().unwrap();
    println!("{interleavings:>6} interleavings of {}", thread::current().name().unwrap_or("a model"));
    outcomes
}

/// Calls two functions concurrently, each on its own thread.
pub fn both<A: 'static, B: 'static>(
    context: &RequestContext,
    first: impl FnOnce(&RequestContext) -> A + 'static,
    second: impl FnOnce(&RequestContext) -> B + 'static,
) -> (A, B) {
    let there = context.clone();
    if SWAPPED.get() {
        let second = loom::thread::spawn(move || second(&there));
        (first(context), second.join().unwrap())
    } else {
        let first = loom::thread::spawn(move || first(&there));
        let second = second(context);
        (first.join().unwrap(), second)
    }
}

/// Creates a context that holds 1, as an initial value or as one that was set later.
pub fn one(is_set_later: bool) -> RequestContext {
    let mut store = Store::new();
    if is_set_later {
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

/// Counts calls. The counter is not part of the model, so it adds no step.
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

/// Registers an `on_end` callback that counts its calls.
pub fn on_end(calls: &Calls) -> impl FnOnce(&RequestContext) -> bool + use<> {
    let calls = calls.clone();
    move |context| context.sync_scope(|| RequestContext::on_end(move |_| calls.add())).is_ok()
}

/// Returns a [`Run`](tower_request_context::Run) that was polled once, and its context.
pub fn run(store: Store) -> (Pin<Box<impl Future<Output = ()>>>, RequestContext) {
    let (work, context) = work(());
    polled_once(store.run(work), &context)
}

/// Returns the future of a request that was polled once, and its context.
pub fn request() -> (Pin<Box<impl Future<Output = Result<TestResponse, Infallible>>>>, RequestContext) {
    let (work, context) = work(Ok(Response::new(String::from("the response"))));
    let mut service = RequestContextLayer::default().layer(OneRequest(Some(work)));
    polled_once(service.call(Request::new(())), &context)
}

/// Polls a future for the second time, which completes it.
pub fn done<F: Future>(mut future: Pin<Box<F>>) -> F::Output {
    match poll(future.as_mut()) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the second poll did not complete the future"),
    }
}

pub type TestResponse = Response<ResponseBody<String>>;

/// A service for a single request.
struct OneRequest<F>(Option<F>);

impl<F: Future<Output = Result<Response<String>, Infallible>>> Service<Request<()>> for OneRequest<F> {
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

/// Returns a future that sends the context in which it is polled. Once the receiver is dropped, the next poll completes
/// it.
fn work<T>(output: T) -> (impl Future<Output = T>, Receiver<RequestContext>) {
    let (sender, receiver) = mpsc::channel();
    let mut output = Some(output);
    let work = poll_fn(move |_| match sender.send(RequestContext::current().unwrap()) {
        Ok(()) => Poll::Pending,
        Err(_) => Poll::Ready(output.take().unwrap()),
    });
    (work, receiver)
}

fn polled_once<F: Future>(future: F, context: &Receiver<RequestContext>) -> (Pin<Box<F>>, RequestContext) {
    let mut future = Box::pin(future);
    assert!(poll(future.as_mut()).is_pending());
    (future, context.recv().unwrap())
}

pub fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}
