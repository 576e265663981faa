//! The ways out of a request.

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

/// How far a request comes, and what happens then.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Answered,
    Refused,
    Failed,
    FailedInItsBody,
    Panicked,
    NeverPolled,
    Cancelled,
    NeverRead,
    HalfRead,
}

const WAYS: [(Way, End); 9] = [
    (Way::Answered, End::Completed),
    (Way::Refused, End::Completed),
    (Way::Failed, End::Failed),
    (Way::FailedInItsBody, End::Failed),
    (Way::Panicked, End::Panicked),
    (Way::NeverPolled, End::Cancelled),
    (Way::Cancelled, End::Cancelled),
    (Way::NeverRead, End::Cancelled),
    (Way::HalfRead, End::Cancelled),
];

// F3: the context of a request was not ended on one of the ways out
#[test]
fn cve_2022_2466_a_request_ends_and_is_released_on_each_way_out() {
    for (way, end) in WAYS {
        let held = Arc::new(());
        let (sender, ends) = mpsc::channel();
        let by_request = Arc::clone(&held);
        let inner = service_fn(async |_| respond(way).await);
        #[allow(clippy::result_large_err, reason = "a refusal is a response")]
        let setup = move |store: &mut Store, _: &mut Parts| {
            store.insert(Arc::clone(&by_request));
            let ends = sender.clone();
            store.on_end(move |end| ends.send((end, RequestContext::contains::<Arc<()>>())).unwrap());
            if way == Way::Refused { Err(answer(way)) } else { Ok(()) }
        };
        go(way, RequestContextService::new(inner, setup));
        assert_eq!(ends.iter().collect::<Vec<_>>(), [(end, true)], "{way:?}");
        assert_eq!(Arc::strong_count(&held), 1, "{way:?} keeps its values");
        assert!(!RequestContext::is_active(), "{way:?} is still current");
    }
}

/// Takes a request that way, and drops all that there is of it.
fn go<S, B>(way: Way, mut service: S)
where
    S: Service<Request<()>, Response = Response<B>>,
    B: http_body::Body + Unpin,
{
    let response = service.call(Request::new(()));
    if way == Way::NeverPolled {
        return;
    }
    let polled = catch_unwind(AssertUnwindSafe(|| response.now_or_never()));
    assert_eq!(polled.is_err(), way == Way::Panicked);
    let Ok(Some(Ok(mut response))) = polled else { return };
    let frames = match way {
        Way::NeverRead => 0,
        Way::HalfRead => 1,
        _ => usize::MAX,
    };
    for _ in 0..frames {
        if response.frame().now_or_never().flatten().is_none() {
            break;
        }
    }
}

async fn respond(way: Way) -> Result<Response<Body>, &'static str> {
    match way {
        Way::Failed => Err("no answer"),
        Way::Panicked => panic!("no answer either"),
        Way::Cancelled => pending().await,
        _ => Ok(answer(way)),
    }
}

fn answer(way: Way) -> Response<Body> {
    let second = if way == Way::FailedInItsBody { Err("no more") } else { Ok("second") };
    Response::new(Body::from_stream(stream::iter([Ok("first"), second])))
}
