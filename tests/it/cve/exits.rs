//! The exit paths of a request.

use std::{
    future::pending,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
};

use axum::body::Body;
use futures_util::{FutureExt, stream};
use http::{Request, Response, request::Parts};
use http_body_util::BodyExt;
use tower::{Service, service_fn};
use tower_request_context::{End, RequestContext, RequestContextService, Store};

/// How a request ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Exit {
    Completed,
    Rejected,
    Failed,
    FailedBody,
    Panicked,
    NeverPolled,
    Cancelled,
    UnreadBody,
    PartlyReadBody,
}

const EXITS: [(Exit, End); 9] = [
    (Exit::Completed, End::Completed),
    (Exit::Rejected, End::Completed),
    (Exit::Failed, End::Failed),
    (Exit::FailedBody, End::Failed),
    (Exit::Panicked, End::Panicked),
    (Exit::NeverPolled, End::Cancelled),
    (Exit::Cancelled, End::Cancelled),
    (Exit::UnreadBody, End::Cancelled),
    (Exit::PartlyReadBody, End::Cancelled),
];

// F3: the context of a request was not ended on one of the exit paths.
#[test]
fn cve_2022_2466_context_ends_and_is_released_on_each_exit() {
    for (exit, end) in EXITS {
        let held = Arc::new(());
        let (sender, ends) = mpsc::channel();
        let by_request = Arc::clone(&held);
        let inner = service_fn(async |_| respond(exit).await);
        #[allow(clippy::result_large_err, reason = "a rejection is a response")]
        let setup = move |store: &mut Store, _: &mut Parts| {
            store.insert(Arc::clone(&by_request));
            let ends = sender.clone();
            store.on_end(move |end| ends.send((end, RequestContext::contains::<Arc<()>>())).unwrap());
            if exit == Exit::Rejected { Err(response(exit)) } else { Ok(()) }
        };
        drive(exit, RequestContextService::new(inner, setup));
        assert_eq!(ends.iter().collect::<Vec<_>>(), [(end, true)], "{exit:?}");
        assert_eq!(Arc::strong_count(&held), 1, "{exit:?} keeps its values");
        assert!(!RequestContext::is_active(), "the context is still current after {exit:?}");
    }
}

/// Drives a request to that exit, and drops the future and the body.
fn drive<S, B>(exit: Exit, mut service: S)
where
    S: Service<Request<()>, Response = Response<B>>,
    B: http_body::Body + Unpin,
{
    let response = service.call(Request::new(()));
    if exit == Exit::NeverPolled {
        return;
    }
    let polled = catch_unwind(AssertUnwindSafe(|| response.now_or_never()));
    assert_eq!(polled.is_err(), exit == Exit::Panicked);
    let Ok(Some(Ok(mut response))) = polled else { return };
    let frames = match exit {
        Exit::UnreadBody => 0,
        Exit::PartlyReadBody => 1,
        _ => usize::MAX,
    };
    for _ in 0..frames {
        if response.frame().now_or_never().flatten().is_none() {
            break;
        }
    }
}

async fn respond(exit: Exit) -> Result<Response<Body>, &'static str> {
    match exit {
        Exit::Failed => Err("an error"),
        Exit::Panicked => panic!("in the handler"),
        Exit::Cancelled => pending().await,
        _ => Ok(response(exit)),
    }
}

fn response(exit: Exit) -> Response<Body> {
    let second = if exit == Exit::FailedBody { Err("an error") } else { Ok("second") };
    Response::new(Body::from_stream(stream::iter([Ok("first"), second])))
}
