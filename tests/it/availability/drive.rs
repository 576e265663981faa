//! Serves a request by hand, one step at a time.

use std::{
    panic::resume_unwind,
    task::{Context, Poll, Waker},
};

use http::{Request, Response};
use hyper::body::Body;
use tower::Service;

use super::{
    Place,
    log::{Log, Payload},
    probe::{Failure, Script},
};

/// Serves one request as the script says.
pub(super) fn drive<S, B>(mut service: S, script: Script, log: &Log)
where
    S: Service<Request<()>, Response = Response<B>, Error = Failure>,
    B: Body<Error = Failure>,
{
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(service.poll_ready(cx).is_ready());
    let Ok(future) = log.step(Place::Call, script, || service.call(Request::new(()))) else { return };

    let mut future = Box::pin(future);
    let polled = log.poll(Place::Poll, script, || future.as_mut().poll(cx));
    let Some(Ok(response)) = log.drop(Place::DropOfFuture, script, future, polled) else { return };

    let mut body = Box::pin(response.into_body());
    let mut polled = log.poll(Place::Frame, script, || body.as_mut().poll_frame(cx));
    if let Ok(Some(Some(Ok(frame)))) = &polled {
        assert!(frame.is_data());
        polled = log.poll(Place::Trailers, script, || body.as_mut().poll_frame(cx));
    }
    if let Ok(Some(last)) = &polled {
        let is_trailers = matches!(last, Some(Ok(frame)) if frame.is_trailers());
        assert!(is_trailers || matches!(last, Some(Err(Failure))));
    }
    log.drop(Place::DropOfBody, script, body, polled);
}

impl Log {
    /// Polls as often as the script says. Returns `None` if the last poll is still pending.
    fn poll<R>(&self, place: Place, script: Script, mut poll: impl FnMut() -> Poll<R>) -> Result<Option<R>, Payload> {
        for _ in 0..script.manner_in(place).polls() {
            if let Poll::Ready(result) = self.step(place, script, &mut poll)? {
                return Ok(Some(result));
            }
        }
        Ok(None)
    }

    /// Drops the future or body that was polled. If a poll panicked, it is dropped during that unwinding.
    fn drop<T, R>(&self, place: Place, script: Script, polled: T, result: Result<Option<R>, Payload>) -> Option<R> {
        let dropped = self.step(place, script, || {
            let _polled = polled;
            result.unwrap_or_else(|payload| resume_unwind(payload))
        });
        dropped.ok().flatten()
    }
}
