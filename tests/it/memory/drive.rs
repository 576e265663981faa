//! Sends requests one way, by hand, and counts what is left of them.

use std::{
    future::pending,
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::pin,
    sync::{Arc, Mutex, Weak},
    task::{Context, Poll, Waker},
};

use allocation_counter::measure;
use futures_util::{Stream, stream};
use http::{Extensions, Request, Response};
use http_body::Body;
use http_body_util::StreamBody;
use hyper::body::{Bytes, Frame};
use tokio::{
    runtime::{Builder, Runtime},
    task::{JoinHandle, yield_now},
};
use tower::{Layer, Service, service_fn};
use tower_request_context::{End, RequestContext, RequestContextLayer, Store};

use super::way::Way;

pub(super) const BYTES: usize = 32 * 1024;

/// How a request leads to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handle {
    Nowhere,
    /// A weak one, put there by the layer.
    InTheExtensions,
    /// A weak one among its own values.
    InTheStore,
    /// A strong one among its own values.
    Strong,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Remains {
    pub(super) bytes: i64,
    pub(super) blocks: i64,
    pub(super) values: usize,
}

/// What of a request is seen from outside.
#[derive(Default)]
struct Traces {
    value: Weak<()>,
    ends: Vec<End>,
    task: Option<JoinHandle<()>>,
    kept: Option<RequestContext>,
}

type Seen = Arc<Mutex<Traces>>;

struct Value {
    _bytes: Vec<u8>,
    _alive: Arc<()>,
}

/// An error, and the payload of panics: large enough that each that is leaked is seen.
#[derive(Debug)]
struct OnPurpose(#[expect(dead_code, reason = "it takes up memory")] Box<[u8; 1024]>);

impl OnPurpose {
    fn new() -> Self {
        Self(Box::new([0; 1024]))
    }

    fn panic() -> ! {
        resume_unwind(Box::new(Self::new())); // the panic hook would print each
    }
}

struct PanicsInDrop;

pub(super) fn remains(requests: usize, way: Way, end: End, handle: Handle) -> Remains {
    let runtime = Builder::new_current_thread().build().unwrap();
    let _entered = runtime.enter();
    // What a thread makes once is made by a request that does not count.
    serve(way, end, handle, &runtime);
    let mut values = 0;
    let allocated = measure(|| {
        let served: Vec<_> = (0..requests).map(|_| serve(way, end, handle, &runtime)).collect();
        values = served.iter().filter(|value| value.strong_count() > 0).count();
    });
    assert!(allocated.bytes_total > (requests * BYTES) as u64, "{way:?}: {allocated:?}");
    Remains { bytes: allocated.bytes_current, blocks: allocated.count_current, values }
}

fn serve(way: Way, end: End, handle: Handle, runtime: &Runtime) -> Weak<()> {
    let seen = Seen::default();
    let outcome = catch_unwind(AssertUnwindSafe(|| pass(service(way, handle, &seen), way)));
    let panicked = outcome.as_ref().err().map(|payload| payload.is::<OnPurpose>());
    assert_eq!(panicked, (end == End::Panicked).then_some(true), "{way:?}");

    let Traces { value, ends, task, kept } = mem::take(&mut *seen.lock().unwrap());
    assert_eq!(ends, [end], "{way:?}");
    let outlives = matches!(way, Way::Detached | Way::Kept) || handle == Handle::Strong;
    assert_eq!(value.strong_count() > 0, outlives, "{way:?}, {handle:?}");
    drop((outcome, kept));
    if let Some(task) = task {
        runtime.block_on(task).unwrap();
    }
    value
}

/// Returns what may outlive a request that was answered: the extensions, which a server keeps as long as it likes.
fn pass<B>(mut service: impl Service<Request<()>, Response = Response<B>>, way: Way) -> Option<Extensions>
where
    B: Body,
{
    let cx = &mut Context::from_waker(Waker::noop());
    let future = pin!(service.call(Request::new(())));
    if way == Way::NeverPolled {
        return None;
    }
    let Poll::Ready(Ok(response)) = future.poll(cx) else { return None };
    let (head, body) = response.into_parts();
    let mut body = Box::pin(body);
    if way != Way::UnreadBody {
        while let Poll::Ready(Some(Ok(_))) = body.as_mut().poll_frame(cx) {}
    }
    // Not at the end of the function: what that returns is leaked where a drop panics there (rust-lang/rust#47949).
    drop(body);
    Some(head.extensions)
}

fn service(way: Way, handle: Handle, seen: &Seen) -> impl Service<Request<()>, Response = Response<impl Body>> {
    let layer = RequestContextLayer::new(move |store, _| {
        set_up(store, way, handle, seen);
        if way == Way::Refused { Err(answer(way)) } else { Ok(()) }
    });
    let layer = if handle == Handle::InTheExtensions { layer.insert_extension() } else { layer };
    layer.layer(service_fn(move |request| {
        handle.put();
        if way == Way::PanicInCall {
            OnPurpose::panic();
        }
        handle_request(request, way, Arc::clone(seen))
    }))
}

fn set_up(store: &mut Store, way: Way, handle: Handle, seen: &Seen) {
    let alive = Arc::new(());
    seen.lock().unwrap().value = Arc::downgrade(&alive);
    store.insert(Value { _bytes: vec![0; BYTES], _alive: alive });
    match way {
        Way::PanicInCallback => store.on_response(|_| OnPurpose::panic()),
        Way::SecondPanicInCallback => {
            store.on_response(|_| OnPurpose::panic());
            store.on_response(|_| OnPurpose::panic());
        }
        Way::PanicInEndCallback => {
            store.on_end(|_| OnPurpose::panic());
            store.on_end(|_| resume_unwind(Box::new("text".repeat(256))));
        }
        Way::PanicInDropOfPayload => store.on_end(|_| resume_unwind(Box::new(PanicsInDrop))),
        Way::PanicInDropOfInitialValue => drop(store.insert(PanicsInDrop)),
        Way::PanicInDropOfCallback => {
            let held = PanicsInDrop;
            store.on_response(|_| drop(held));
        }
        _ => {}
    }
    let seen = Arc::clone(seen);
    store.on_end(move |end| {
        handle.put();
        seen.lock().unwrap().ends.push(end);
    });
    if way == Way::PanicInSetup {
        OnPurpose::panic();
    }
}

async fn handle_request(
    request: Request<()>,
    way: Way,
    seen: Seen,
) -> Result<Response<StreamBody<impl Stream<Item = Sent>>>, OnPurpose> {
    let _held = (way == Way::PanicInDropOfFuture).then(|| PanicsInDrop);
    match way {
        Way::FailedService | Way::PanicInDropOfCallback => return Err(OnPurpose::new()),
        Way::CancelledFuture | Way::PanicInDropOfFuture => pending().await,
        Way::PanicInPoll => OnPurpose::panic(),
        Way::Detached => seen.lock().unwrap().task = Some(RequestContext::spawn(outlive())),
        Way::PanicInDropOfSetValue => RequestContext::set(PanicsInDrop).expect("it is called in a request"),
        Way::Kept => seen.lock().unwrap().kept = RequestContext::current(),
        _ => {}
    }
    let mut response = answer(way);
    *response.extensions_mut() = request.extensions().clone();
    Ok(response)
}

async fn outlive() {
    yield_now().await;
    assert!(RequestContext::contains::<Value>());
}

type Sent = Result<Frame<Bytes>, OnPurpose>;

fn answer(way: Way) -> Response<StreamBody<impl Stream<Item = Sent>>> {
    let held = (way == Way::PanicInDropOfBody).then(|| PanicsInDrop);
    let mut frames = 0;
    Response::new(StreamBody::new(stream::poll_fn(move |_| {
        let _held = &held;
        frames += 1;
        match way {
            _ if frames == 1 => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"frame"))))),
            Way::FailedBody => Poll::Ready(Some(Err(OnPurpose::new()))),
            Way::CancelledBody | Way::PanicInDropOfBody => Poll::Pending,
            Way::PanicInFrame => OnPurpose::panic(),
            _ => Poll::Ready(None),
        }
    })))
}

impl Handle {
    /// Lets the current request lead to itself.
    fn put(self) {
        let current = || RequestContext::current().expect("it is called in a request");
        match self {
            Self::InTheStore => current().set(current().downgrade()),
            Self::Strong => current().set(current()),
            Self::Nowhere | Self::InTheExtensions => {}
        }
    }
}

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        OnPurpose::panic();
    }
}
