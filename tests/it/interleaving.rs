//! Forces requests to overlap by polling them in lockstep.

use std::{pin::pin, sync::Arc};

use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn},
};
use futures_util::{future::maybe_done, poll};
use tokio::sync::Barrier;

/// More polls than any application here needs.
const STEPS: usize = 8;

/// Polls this many requests in lockstep: each one is polled once before any is polled again. A value that each request
/// writes in one step has been written by all of them before the next step.
///
/// The requests must not depend on being woken. `yield_now` is ready at the next poll, so it can be used.
pub(crate) fn interleave(app: Router, requests: usize) -> Router {
    let gate = Arc::new(Barrier::new(requests));
    app.layer(from_fn(move |request: Request, next: Next| {
        let gate = Arc::clone(&gate);
        async move {
            let mut response = pin!(maybe_done(next.run(request)));
            assert!(poll!(response.as_mut()).is_pending(), "the handler never waits, so no requests overlap");
            for _ in 0..STEPS {
                gate.wait().await;
                let _ = poll!(response.as_mut());
            }
            response.as_mut().await;
            response.take_output().expect("the response was awaited and is taken once")
        }
    }))
}
