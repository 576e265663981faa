//! Overlap, forced from outside: requests that go on one step at a time.

use std::{pin::pin, sync::Arc};

use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn},
};
use futures_util::{future::maybe_done, poll};
use tokio::sync::Barrier;

/// More than any application here waits.
const STEPS: usize = 8;

/// Lets this many requests run up to where each waits for the first time, then all to where they wait next, and so on.
/// Whatever one of them writes in a step, all have written before any reads it in the next.
///
/// What they wait for has to be such as comes without their being woken, as `yield_now` does.
pub(crate) fn interleave(app: Router, requests: usize) -> Router {
    let gate = Arc::new(Barrier::new(requests));
    app.layer(from_fn(move |request: Request, next: Next| {
        let gate = Arc::clone(&gate);
        async move {
            let mut answer = pin!(maybe_done(next.run(request)));
            assert!(poll!(answer.as_mut()).is_pending(), "it waits nowhere: nothing overlaps");
            for _ in 0..STEPS {
                gate.wait().await;
                let _ = poll!(answer.as_mut());
            }
            answer.as_mut().await;
            answer.take_output().expect("it was awaited, and is taken once")
        }
    }))
}
