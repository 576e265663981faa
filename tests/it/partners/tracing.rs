//! `tracing`: the current span, and how often it is closed.

use std::{
    fmt, mem,
    sync::{Arc, Mutex},
};

use tower_request_context::Store;
use tracing::{
    Metadata, Span, Subscriber,
    field::{Field, Visit},
    info_span,
    span::{Attributes, Id},
};
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context, Layered, SubscriberExt},
    registry::LookupSpan,
};

use super::{Partner, Protocol, requests::serve_all};
use crate::capture::Subscribed;

#[derive(Clone)]
struct Tracing(Arc<Layered<Closed, Registry>>);

impl Partner for Tracing {
    fn register(&self, store: &mut Store, request: u32) {
        let span = info_span!("request", request);
        store.on_enter(move || span.clone().entered());
    }

    fn current(&self, _: Option<u32>) -> Option<u32> {
        let request = Span::current().with_subscriber(|(id, subscriber)| {
            let registry: &Registry = subscriber.downcast_ref().unwrap();
            let span = registry.span(id).unwrap();
            span.extensions().get().map(|Number(request)| *request)
        });
        request.flatten()
    }

    fn start_thread(&self) {
        // Stays subscribed until the thread exits.
        mem::forget(Subscribed::new(Arc::clone(&self.0)));
    }
}

/// The request number of a span.
#[derive(Default)]
struct Number(u32);

impl Visit for Number {
    fn record_u64(&mut self, _: &Field, value: u64) {
        self.0 = value.try_into().unwrap();
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

/// The request numbers of the closed spans.
#[derive(Clone, Default)]
struct Closed(Arc<Mutex<Vec<u32>>>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Closed {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target() == module_path!()
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut number = Number::default();
        attributes.record(&mut number);
        context.span(id).unwrap().extensions_mut().insert(number);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let request = context.span(&id).unwrap().extensions().get().map(|Number(request)| *request);
        self.0.lock().unwrap().extend(request);
    }
}

#[test]
fn span_is_current_with_the_request_and_closed_once() {
    for protocol in Protocol::ALL {
        let closed = Closed::default();
        serve_all(&Tracing(Arc::new(Registry::default().with(closed.clone()))), protocol);
        let mut closed = closed.0.lock().unwrap();
        closed.sort_unstable();
        assert!(closed.iter().copied().eq(1..=200), "{protocol:?}: {closed:?}");
    }
}
