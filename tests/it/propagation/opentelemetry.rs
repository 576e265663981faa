//! OpenTelemetry's propagators, at both ends of this crate's.

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

/// The headers that OpenTelemetry's propagators read and write.
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

/// Returns the headers that an OpenTelemetry propagator writes for a context.
fn written_by(propagator: &impl TextMapPropagator, context: &Context) -> HeaderMap {
    let mut carrier = Carrier::default();
    propagator.inject_context(context, &mut carrier);
    carrier.0
}

fn trace_headers(span: SpanContext) -> HeaderMap {
    written_by(&TraceContextPropagator::new(), &Context::new().with_remote_span_context(span))
}

fn extracted(propagator: &impl TextMapPropagator, arrived: HeaderMap) -> Context {
    propagator.extract_with_context(&Context::new(), &Carrier(arrived))
}

fn extracted_span(arrived: HeaderMap) -> SpanContext {
    extracted(&TraceContextPropagator::new(), arrived).span().span_context().clone()
}

/// Returns names, values and metadata of the baggage, sorted.
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
async fn hand_written_trace_is_read_by_opentelemetry() {
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
async fn opentelemetry_trace_is_relayed_unchanged() {
    for version in VERSIONS {
        let mut relay = Relay::new(HeaderPropagator::trace_context(), version).await;
        for span in [span(7, true, "cats=1,dogs=2"), span(u128::MAX, false, ""), span(1 << 127, true, "a@b=c d")] {
            let inbound = trace_headers(span.clone());
            assert_eq!(inbound.len(), 2);
            let arrived = relay.send(inbound.clone()).await;
            assert_eq!(arrived, inbound);
            assert_eq!(extracted_span(arrived), span);
        }
    }
}

#[tokio::test]
async fn opentelemetry_baggage_is_relayed_if_listed() {
    let context = Context::new().with_baggage([
        KeyValue::new("tenant", "cats & co, limited; \"meow\""),
        KeyValue::new("city", "Köln"),
        KeyValue::new("empty", ""),
    ]);
    let mut inbound = written_by(&BaggagePropagator::new(), &context);
    let mut members = extracted_baggage(inbound.clone());
    assert_eq!(members[0], (String::from("city"), String::from("Köln"), String::new()));
    let written = inbound["baggage"].to_str().unwrap().to_owned();
    inbound.insert("baggage", format!("{written},hop=1;metadata=yes").parse().unwrap());
    members.insert(2, (String::from("hop"), String::from("1"), String::from("metadata=yes")));
    inbound.extend(trace_headers(span(7, true, "")));
    for version in VERSIONS {
        let with_baggage = HeaderPropagator::trace_context().header("baggage");
        let arrived = Relay::new(with_baggage, version).await.send(inbound.clone()).await;
        assert_eq!(arrived, inbound);
        assert_eq!(extracted_baggage(arrived.clone()), members);
        assert_eq!(extracted_span(arrived), span(7, true, ""));
        let arrived = Relay::new(HeaderPropagator::trace_context(), version).await.send(inbound.clone()).await;
        assert_eq!(extracted_baggage(arrived), []);
    }
}

#[tokio::test]
async fn baggage_limit_matches_opentelemetry() {
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
async fn trace_written_by_the_caller_wins() {
    let inbound = lines(&[("traceparent", TRACEPARENT), ("tracestate", "cats=1"), ("x-tenant", "cats")]);
    let propagator = HeaderPropagator::trace_context().header("x-tenant");
    for version in VERSIONS {
        let relay = Relay::with_own(propagator.clone(), version, |call| {
            call.extend(trace_headers(span(7, true, "dogs=2")));
        });
        let arrived = relay.await.send(inbound.clone()).await;
        assert_eq!(arrived["x-tenant"], "cats");
        assert_eq!(extracted_span(arrived), span(7, true, "dogs=2"));

        let relay = Relay::with_own(propagator.clone(), version, |call| call.extend(trace_headers(span(7, true, ""))));
        let arrived = relay.await.send(inbound.clone()).await;
        assert_eq!(extracted_span(arrived), span(7, true, ""));

        // Other propagators do not write an empty `tracestate`.
        let relay = Relay::with_own(propagator.clone(), version, |call| {
            call.extend(trace_headers(span(7, true, "")));
            call.remove("tracestate");
        });
        let arrived = relay.await.send(inbound.clone()).await;
        assert!(!arrived.contains_key("tracestate"));
        assert_eq!(extracted_span(arrived), span(7, true, ""));
    }
}
