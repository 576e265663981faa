//! Sentry: the current `Hub`, and the events captured with it.

use std::sync::Arc;

use sentry_core::{Client, ClientOptions, Hub, HubSwitchGuard, Level, Scope, protocol::Event, test::TestTransport};
use tower_request_context::Store;

use super::{Partner, Protocol, requests::serve_all};

const TAG: &str = "request";

#[derive(Clone)]
struct Sentry(Arc<Client>);

impl Sentry {
    fn new(transport: &Arc<TestTransport>) -> Self {
        let options = ClientOptions {
            dsn: Some("https://public@sentry.invalid/1".parse().unwrap()),
            transport: Some(Arc::new(Arc::clone(transport))),
            ..ClientOptions::default()
        };
        Self(Arc::new(Client::from(options)))
    }
}

impl Partner for Sentry {
    fn register(&self, store: &mut Store, request: u32) {
        let mut scope = Scope::default();
        scope.set_tag(TAG, request);
        let hub = Arc::new(Hub::new(Some(Arc::clone(&self.0)), Arc::new(scope)));
        store.on_enter(move || HubSwitchGuard::new(Arc::clone(&hub)));
    }

    /// Also captures an event whose message is the expected request.
    fn current(&self, expected: Option<u32>) -> Option<u32> {
        let hub = Hub::current();
        hub.capture_message(&format!("{expected:?}"), Level::Info);
        hub.configure_scope(|scope| tag(&scope.apply_to_event(Event::default())?))
    }
}

fn tag(event: &Event<'_>) -> Option<u32> {
    event.tags.get(TAG)?.parse().ok()
}

#[test]
fn sentry_hub_is_current_with_the_request() {
    for protocol in Protocol::ALL {
        let transport = TestTransport::new();
        let checks = serve_all(&Sentry::new(&transport), protocol);
        let events = transport.fetch_and_clear_events();
        assert_eq!(events.len(), checks, "{protocol:?}");
        for event in events {
            assert_eq!(event.message, Some(format!("{:?}", Some(tag(&event).unwrap()))), "{protocol:?}");
        }
    }
}
