//! The propagators of OpenTelemetry, before and behind this crate's.

use std::str::FromStr;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context, KeyValue,
    baggage::BaggageExt,
    propagation::{Extractor, Injector, TextMapPropagator},
    trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState},
};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use tower_request_context::HeaderPropagator;

use super::{TRACEPARENT, headers, lines, listing, relay::Relay};
use crate::support::VERSIONS;

/// Headers, as a propagator reads and writes them.
#[derive(Default)]
struct Carrier(HeaderMap);

impl Extractor for Carrier {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

impl Injector for Carrier {
    fn set(&mut self, key: &str, value: String) {
        self.0.insert(HeaderName::from_str(key).unwrap(), HeaderValue::try_from(value).unwrap());
    }
}

fn span(trace: u128, sampled: bool, state: &str) -> SpanContext {
    let (flags, state) = (TraceFlags::default().with_sampled(sampled), TraceState::from_str(state).unwrap());
    SpanContext::new(TraceId::from(trace), SpanId::from(0xb7ad_6b71_6920_3331), flags, true, state)
}

/// The headers that their propagator makes of a context.
fn theirs(propagator: &impl TextMapPropagator, context: &Context) -> HeaderMap {
    let mut carrier = Carrier::default();
    propagator.inject_context(context, &mut carrier);
    carrier.0
}

fn their_trace(span: SpanContext) -> HeaderMap {
    theirs(&TraceContextPropagator::new(), &Context::new().with_remote_span_context(span))
}

fn extracted(propagator: &impl TextMapPropagator, arrived: HeaderMap) -> Context {
    propagator.extract_with_context(&Context::new(), &Carrier(arrived))
}

fn extracted_span(arrived: HeaderMap) -> SpanContext {
    extracted(&TraceContextPropagator::new(), arrived).span().span_context().clone()
}

/// Names and values with their metadata, sorted.
fn extracted_baggage(arrived: HeaderMap) -> Vec<(String, String, String)> {
    let context = extracted(&BaggagePropagator::new(), arrived);
    let members = context.baggage().iter();
    let mut members: Vec<_> = members
        .map(|(name, (value, metadata))| (name.to_string(), value.to_string(), metadata.as_str().to_owned()))
        .collect();
    members.sort();
    members
}

#[tokio::test]
async fn what_was_written_by_hand_arrives_for_their_propagator() {
    let trace = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;
    for version in VERSIONS {
        let mut relay = Relay::new(HeaderPropagator::trace_context(), version).await;
        let arrived = relay.send(lines(&[("traceparent", TRACEPARENT), ("tracestate", "cats=1,dogs=2")])).await;
        assert_eq!(extracted_span(arrived), span(trace, true, "cats=1,dogs=2"));
        let future = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-what-the-future-will-be";
        let arrived = relay.send(lines(&[("traceparent", future)])).await;
        assert_eq!(extracted_span(arrived), span(trace, false, ""));
        assert!(!extracted_span(relay.send(HeaderMap::new()).await).is_valid());
    }
}

#[tokio::test]
async fn what_their_propagator_wrote_travels_byte_for_byte_and_is_read_as_it_was_meant() {
    for version in VERSIONS {
        let mut relay = Relay::new(HeaderPropagator::trace_context(), version).await;
        for span in [span(7, true, "cats=1,dogs=2"), span(u128::MAX, false, ""), span(1 << 127, true, "a@b=c d")] {
            let came_in = their_trace(span.clone());
            assert_eq!(came_in.len(), 2);
            let arrived = relay.send(came_in.clone()).await;
            assert_eq!(arrived, came_in);
            assert_eq!(extracted_span(arrived), span);
        }
    }
}

#[tokio::test]
async fn baggage_that_their_propagator_wrote_travels_if_it_is_listed() {
    let context = Context::new().with_baggage([
        KeyValue::new("tenant", "cats & co, limited; \"meow\""),
        KeyValue::new("city", "Köln"),
        KeyValue::new("empty", ""),
    ]);
    let mut came_in = theirs(&BaggagePropagator::new(), &context);
    let mut members = extracted_baggage(came_in.clone());
    assert_eq!(members[0], (String::from("city"), String::from("Köln"), String::new()));
    let written = came_in["baggage"].to_str().unwrap().to_owned();
    came_in.insert("baggage", format!("{written},hop=1;metadata=yes").parse().unwrap());
    members.insert(2, (String::from("hop"), String::from("1"), String::from("metadata=yes")));
    came_in.extend(their_trace(span(7, true, "")));
    for version in VERSIONS {
        let with_baggage = HeaderPropagator::trace_context().header("baggage");
        let arrived = Relay::new(with_baggage, version).await.send(came_in.clone()).await;
        assert_eq!(arrived, came_in);
        assert_eq!(extracted_baggage(arrived.clone()), members);
        assert_eq!(extracted_span(arrived), span(7, true, ""));
        let arrived = Relay::new(HeaderPropagator::trace_context(), version).await.send(came_in.clone()).await;
        assert_eq!(extracted_baggage(arrived), []);
    }
}

#[tokio::test]
async fn all_baggage_that_their_propagator_reads_travels_and_no_more() {
    let members = |count| (0..count).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
    for version in VERSIONS {
        let mut relay = Relay::new(listing(["baggage"]), version).await;
        let arrived = relay.send(headers([("baggage", members(64))])).await;
        assert_eq!(extracted_baggage(arrived).len(), 64);
        let arrived = relay.send(headers([("baggage", members(65))])).await;
        assert_eq!(extracted_baggage(arrived), []);
    }
}

#[tokio::test]
async fn a_caller_whose_propagator_wrote_a_trace_of_its_own_wins() {
    let came_in = lines(&[("traceparent", TRACEPARENT), ("tracestate", "cats=1"), ("x-tenant", "cats")]);
    let propagator = HeaderPropagator::trace_context().header("x-tenant");
    for version in VERSIONS {
        let relay = Relay::with_own(propagator.clone(), version, |call| {
            call.extend(their_trace(span(7, true, "dogs=2")));
        });
        let arrived = relay.await.send(came_in.clone()).await;
        assert_eq!(arrived["x-tenant"], "cats");
        assert_eq!(extracted_span(arrived), span(7, true, "dogs=2"));

        let relay = Relay::with_own(propagator.clone(), version, |call| call.extend(their_trace(span(7, true, ""))));
        let arrived = relay.await.send(came_in.clone()).await;
        assert_eq!(extracted_span(arrived), span(7, true, ""));

        // Propagators of other systems write no empty state.
        let relay = Relay::with_own(propagator.clone(), version, |call| {
            call.extend(their_trace(span(7, true, "")));
            call.remove("tracestate");
        });
        let arrived = relay.await.send(came_in.clone()).await;
        assert!(!arrived.contains_key("tracestate"));
        assert_eq!(extracted_span(arrived), span(7, true, ""));
    }
}
