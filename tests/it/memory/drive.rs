//! Polls requests by hand up to an exit, and counts the memory and the values that they leave behind.

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

use super::exit::Exit;

pub(super) const VALUE_BYTES: usize = 32 * 1024;

/// A handle to the request's context that the request itself holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handle {
    Nowhere,
    /// A weak one in the extensions, inserted by the layer.
    InTheExtensions,
    /// A weak one in the store.
    InTheStore,
    /// A strong one in the store, which leaks the context.
    Strong,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Leaked {
    pub(super) bytes: i64,
    pub(super) blocks: i64,
    pub(super) values: usize,
}

/// What can be observed of a request from outside.
#[derive(Default)]
struct Observations {
    value: Weak<()>,
    ends: Vec<End>,
    task: Option<JoinHandle<()>>,
    kept: Option<RequestContext>,
}

type SharedObservations = Arc<Mutex<Observations>>;

struct Value {
    _bytes: Vec<u8>,
    _alive: Arc<()>,
}

/// An error and panic payload that is large enough for a leak to be noticed.
#[derive(Debug)]
struct LargeError(#[expect(dead_code, reason = "it takes up memory")] Box<[u8; 1024]>);

impl LargeError {
    fn new() -> Self {
        Self(Box::new([0; 1024]))
    }

    fn panic() -> ! {
        resume_unwind(Box::new(Self::new())); // does not call the panic hook
    }
}

struct PanicsInDrop;

/// Runs the requests and returns what they leak.
pub(super) fn leaked_by(requests: usize, exit: Exit, end: End, handle: Handle) -> Leaked {
    let runtime = Builder::new_current_thread().build().unwrap();
    let _entered = runtime.enter();
    // The first request allocates what exists once per thread, so it is not counted.
    serve(exit, end, handle, &runtime);
    let mut values = 0;
    let allocated = measure(|| {
        let served: Vec<_> = (0..requests).map(|_| serve(exit, end, handle, &runtime)).collect();
        values = served.iter().filter(|value| value.strong_count() > 0).count();
    });
    assert!(allocated.bytes_total > (requests * VALUE_BYTES) as u64, "{exit:?}: {allocated:?}");
    Leaked { bytes: allocated.bytes_current, blocks: allocated.count_current, values }
}

fn serve(exit: Exit, end: End, handle: Handle, runtime: &Runtime) -> Weak<()> {
    let seen = SharedObservations::default();
    let outcome = catch_unwind(AssertUnwindSafe(|| drive(service(exit, handle, &seen), exit)));
    let panicked = outcome.as_ref().err().map(|payload| payload.is::<LargeError>());
    assert_eq!(panicked, (end == End::Panicked).then_some(true), "{exit:?}");

    let Observations { value, ends, task, kept } = mem::take(&mut *seen.lock().unwrap());
    assert_eq!(ends, [end], "{exit:?}");
    let expected_alive = matches!(exit, Exit::SpawnedTask | Exit::KeptHandle) || handle == Handle::Strong;
    assert_eq!(value.strong_count() > 0, expected_alive, "{exit:?}, {handle:?}");
    drop((outcome, kept));
    if let Some(task) = task {
        runtime.block_on(task).unwrap();
    }
    value
}

/// Polls a request until its exit. Returns the extensions of its response, which a server may keep after the request.
fn drive<B>(mut service: impl Service<Request<()>, Response = Response<B>>, exit: Exit) -> Option<Extensions>
where
    B: Body,
{
    let cx = &mut Context::from_waker(Waker::noop());
    let future = pin!(service.call(Request::new(())));
    if exit == Exit::NeverPolled {
        return None;
    }
    let Poll::Ready(Ok(response)) = future.poll(cx) else { return None };
    let (head, body) = response.into_parts();
    let mut body = Box::pin(body);
    if exit != Exit::UnreadBody {
        while let Poll::Ready(Some(Ok(_))) = body.as_mut().poll_frame(cx) {}
    }
    // Dropped here because the return value would leak if a drop panicked at the end of the function
    // (rust-lang/rust#47949).
    drop(body);
    Some(head.extensions)
}

fn service(
    exit: Exit,
    handle: Handle,
    seen: &SharedObservations,
) -> impl Service<Request<()>, Response = Response<impl Body>> {
    let layer = RequestContextLayer::new(move |store, _| {
        set_up(store, exit, handle, seen);
        if exit == Exit::Rejected { Err(response(exit)) } else { Ok(()) }
    });
    let layer = if handle == Handle::InTheExtensions { layer.insert_extension() } else { layer };
    layer.layer(service_fn(move |request| {
        handle.store_handle();
        if exit == Exit::PanicInCall {
            LargeError::panic();
        }
        handle_request(request, exit, Arc::clone(seen))
    }))
}

fn set_up(store: &mut Store, exit: Exit, handle: Handle, seen: &SharedObservations) {
    let alive = Arc::new(());
    seen.lock().unwrap().value = Arc::downgrade(&alive);
    store.insert(Value { _bytes: vec![0; VALUE_BYTES], _alive: alive });
    match exit {
        Exit::PanicInCallback => store.on_response(|_| LargeError::panic()),
        Exit::SecondPanicInCallback => {
            store.on_response(|_| LargeError::panic());
            store.on_response(|_| LargeError::panic());
        }
        Exit::PanicInEndCallback => {
            store.on_end(|_| LargeError::panic());
            store.on_end(|_| resume_unwind(Box::new("text".repeat(256))));
        }
        Exit::PanicInDropOfPayload => store.on_end(|_| resume_unwind(Box::new(PanicsInDrop))),
        Exit::PanicInDropOfInitialValue => drop(store.insert(PanicsInDrop)),
        Exit::PanicInDropOfCallback => {
            let held = PanicsInDrop;
            store.on_response(|_| drop(held));
        }
        _ => {}
    }
    let seen = Arc::clone(seen);
    store.on_end(move |end| {
        handle.store_handle();
        seen.lock().unwrap().ends.push(end);
    });
    if exit == Exit::PanicInSetup {
        LargeError::panic();
    }
}

async fn handle_request(
    request: Request<()>,
    exit: Exit,
    seen: SharedObservations,
) -> Result<Response<StreamBody<impl Stream<Item = FrameResult>>>, LargeError> {
    let _held = (exit == Exit::PanicInDropOfFuture).then(|| PanicsInDrop);
    match exit {
        Exit::FailedService | Exit::PanicInDropOfCallback => return Err(LargeError::new()),
        Exit::CancelledFuture | Exit::PanicInDropOfFuture => pending().await,
        Exit::PanicInPoll => LargeError::panic(),
        Exit::SpawnedTask => seen.lock().unwrap().task = Some(RequestContext::spawn(run_after_request())),
        Exit::PanicInDropOfSetValue => RequestContext::set(PanicsInDrop).expect("called in a request"),
        Exit::KeptHandle => seen.lock().unwrap().kept = RequestContext::current(),
        _ => {}
    }
    let mut response = response(exit);
    *response.extensions_mut() = request.extensions().clone();
    Ok(response)
}

async fn run_after_request() {
    yield_now().await;
    assert!(RequestContext::contains::<Value>());
}

type FrameResult = Result<Frame<Bytes>, LargeError>;

fn response(exit: Exit) -> Response<StreamBody<impl Stream<Item = FrameResult>>> {
    let held = (exit == Exit::PanicInDropOfBody).then(|| PanicsInDrop);
    let mut frames = 0;
    Response::new(StreamBody::new(stream::poll_fn(move |_| {
        let _held = &held;
        frames += 1;
        match exit {
            _ if frames == 1 => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"frame"))))),
            Exit::FailedBody => Poll::Ready(Some(Err(LargeError::new()))),
            Exit::CancelledBody | Exit::PanicInDropOfBody => Poll::Pending,
            Exit::PanicInFrame => LargeError::panic(),
            _ => Poll::Ready(None),
        }
    })))
}

impl Handle {
    /// Stores a handle to the current context in that context.
    fn store_handle(self) {
        let current = || RequestContext::current().expect("called in a request");
        match self {
            Self::InTheStore => current().set(current().downgrade()),
            Self::Strong => current().set(current()),
            Self::Nowhere | Self::InTheExtensions => {}
        }
    }
}

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        LargeError::panic();
    }
}
