//! The guard around a call of the inner service.

use std::mem;

use super::{
    RequestContext,
    end_reporter::ReportOnDrop,
    scope::{self, EnterGuard},
};
use crate::{End, store::has_hooks};

/// Keeps a context current while the inner service is called. If the call panics, reports the end of the request.
pub(crate) struct CallGuard<'a> {
    // Dropped first, since it reports to the current context.
    report: ReportOnDrop,
    entered: EnterGuard<'a>,
}

impl<'a> CallGuard<'a> {
    #[inline]
    pub(crate) fn enter(context: &'a mut Option<RequestContext>, must_report: bool) -> Self {
        let entered = if has_hooks() { enter_or_end(context, must_report) } else { scope::enter(context) };
        Self { report: ReportOnDrop(must_report.then_some(End::Panicked)), entered }
    }

    /// Leaves the context after a call that did not panic.
    #[inline]
    pub(crate) fn leave(self) {
        mem::forget(self.report);
        drop(self.entered);
    }
}

/// Enters a context. If a hook panics, reports the end of the request.
#[cold]
fn enter_or_end(context: &mut Option<RequestContext>, must_report: bool) -> EnterGuard<'_> {
    struct EndOnPanic(Option<RequestContext>);

    impl Drop for EndOnPanic {
        fn drop(&mut self) {
            if let Some(context) = &self.0 {
                context.end(End::Panicked);
            }
        }
    }

    let mut on_panic = EndOnPanic(context.clone().filter(|_| must_report));
    let entered = scope::enter(context);
    on_panic.0 = None;
    entered
}
