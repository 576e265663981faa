//! The context's request id is propagated, whatever the order in which the policy and the propagator are called.

use std::{convert::Infallible, iter, sync::mpsc};

use allocation_counter::measure;
use axum::{Router, body::Body};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, request::Parts};
use tokio::sync::mpsc::unbounded_channel;
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_request_context::{
    HeaderPropagator, Nesting, RequestContext, RequestContextLayer, RequestId, RequestIdPolicy, Store,
};

use super::{Lines, head, headers, injected, lines, listing};
use crate::support::{VERSIONS, client, in_time, map_with_room_for, request, serve};

const ID: &str = "x-request-id";
const CORRELATION: &str = "x-correlation-id";
const FORGED: Lines<'_> = &[(ID, "forged"), (CORRELATION, "forged too"), ("x-tenant", "cats")];

/// A call in a setup closure.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Apply,
    Extract,
    Inject,
}

/// Returns each sequence of up to three steps.
fn sequences() -> Vec<Vec<Step>> {
    let steps = [Step::Apply, Step::Extract, Step::Inject];
    let longer = |shorter: &Vec<Vec<Step>>| {
        let longer = shorter.iter().flat_map(|first| steps.map(|last| [&first[..], &[last]].concat()));
        Some(longer.collect::<Vec<_>>())
    };
    iter::successors(Some(vec![vec![]]), longer).take(4).flatten().collect()
}

fn policy(header: &'static str, id: &'static str) -> RequestIdPolicy {
    RequestIdPolicy::new().header(HeaderName::from_static(header)).generate(move |_| id_of(id))
}

fn id_of(text: &str) -> RequestId {
    text.parse().unwrap()
}

/// Returns the context's id, the propagated headers and the response's headers.
fn seen(
    setup: impl Fn(&mut Store, &mut Parts) + Clone,
    outgoing: &HeaderPropagator,
    inbound: Lines<'_>,
) -> (Option<RequestId>, HeaderMap, HeaderMap) {
    let (sender, seen) = mpsc::channel();
    let service = RequestContextLayer::new(setup).layer(service_fn(async |_: Request<()>| {
        let mut sent = HeaderMap::new();
        outgoing.inject(&mut sent);
        sender.send((RequestContext::id(), sent)).unwrap();
        Ok::<_, Infallible>(Response::new(String::new()))
    }));
    let mut request = Request::new(());
    *request.headers_mut() = lines(inbound);
    let response = service.oneshot(request).now_or_never().unwrap().unwrap();
    let (id, sent) = seen.recv().unwrap();
    (id, sent, response.into_parts().0.headers)
}

#[test]
fn every_order_and_omission_of_the_calls_propagates_the_id() {
    let policies = |header| [policy(header, "made-here"), policy(header, "made-here").accept_inbound()];
    for (header, forged) in [(ID, "forged"), (CORRELATION, "forged-too")] {
        let inbound = [(header, forged), ("x-tenant", "cats")];
        let list = listing(["x-tenant", header]);
        for (policy, is_trusted) in policies(header).iter().flat_map(|policy| [(policy, true), (policy, false)]) {
            let incoming = list.clone().trust_if(move |_| is_trusted);
            for steps in sequences() {
                let setup = |store: &mut Store, request: &mut Parts| {
                    for step in &steps {
                        match step {
                            Step::Apply => _ = policy.apply(store, request),
                            Step::Extract => incoming.extract(store, request),
                            Step::Inject => incoming.inject(&mut request.headers.clone()),
                        }
                    }
                };
                let (id, sent, echoed) = seen(setup, &incoming, &inbound);
                let case = format!("{header} {steps:?} {policy:?} {is_trusted}");
                let is_extracted = is_trusted && steps.contains(&Step::Extract);
                assert_eq!(sent.contains_key("x-tenant"), is_extracted, "{case}");
                if steps.contains(&Step::Apply) {
                    let id = HeaderValue::from(id.expect(&case));
                    assert!(id == "made-here" || id == forged, "{case}");
                    assert!(sent.get_all(header).iter().eq([&id]), "{case}: {sent:?}");
                    assert!(echoed.get_all(header).iter().eq([&id]), "{case}: {echoed:?}");
                } else {
                    assert_eq!((id, echoed), (None, HeaderMap::new()), "{case}");
                    assert_eq!(sent.get(header).map(HeaderValue::as_bytes), is_extracted.then_some(forged.as_bytes()));
                }
            }
        }
    }
}

#[tokio::test]
async fn client_and_backend_see_the_same_id() {
    type Setup = fn(&RequestIdPolicy, &HeaderPropagator, &mut Store, &mut Parts);
    let setups: [Setup; 3] = [
        |ids, list, store, request| {
            ids.apply(store, request);
            list.extract(store, request);
        },
        |ids, list, store, request| {
            list.extract(store, request);
            ids.apply(store, request);
        },
        |ids, _, store, request| _ = ids.apply(store, request),
    ];
    for (setup, version) in setups.into_iter().flat_map(|setup| VERSIONS.map(|version| (setup, version))) {
        let (report, mut arrived) = unbounded_channel();
        let backend = serve(Router::new().fallback(async move |headers| drop(report.send(headers)))).await;
        let (ids, list) = (RequestIdPolicy::new(), listing([ID, "x-tenant"]));
        let outgoing = list.clone();
        let client_of_backend = ServiceBuilder::new()
            .map_request(move |mut request: Request<Body>| {
                outgoing.inject(request.headers_mut());
                request
            })
            .service(client(version));
        let call = async move || client_of_backend.oneshot(request(backend, "/", None)).await.unwrap().status();
        let layer = RequestContextLayer::new(move |store, request| setup(&ids, &list, store, request));
        let gateway = serve(Router::new().fallback(call).layer(layer)).await;

        let mut request = request(gateway, "/", None);
        request.headers_mut().extend(lines(&FORGED[..1]));
        let response = in_time(client(version).request(request)).await.unwrap();
        let echoed = &response.headers()[ID];
        assert_ne!(echoed, "forged");
        let arrived: HeaderMap = arrived.try_recv().unwrap();
        assert!(arrived.get_all(ID).iter().eq([echoed]), "{arrived:?}");
    }
}

/// Returns the headers propagated below two layers. The outer one applies a policy. Between the two, the request's
/// headers are replaced.
fn below_two_layers(nesting: Nesting, outer: &'static str, inner: &[Step], inner_header: &'static str) -> HeaderMap {
    let list = listing([ID, CORRELATION]);
    let (sender, sent) = mpsc::channel();
    let innermost = service_fn(async |_: Request<()>| {
        let mut headers = HeaderMap::new();
        list.inject(&mut headers);
        sender.send(headers).unwrap();
        Ok::<_, Infallible>(Response::new(String::new()))
    });
    let setup = |store: &mut Store, request: &mut Parts| {
        for step in inner {
            match step {
                Step::Apply => _ = policy(inner_header, "inner").apply(store, request),
                Step::Extract => list.extract(store, request),
                Step::Inject => {}
            }
        }
    };
    let stack = ServiceBuilder::new()
        .layer(RequestContextLayer::new(|store, request| _ = policy(outer, "outer").apply(store, request)))
        .map_request(|mut request: Request<()>| {
            *request.headers_mut() = lines(&[(ID, "changed"), (CORRELATION, "changed too")]);
            request
        })
        .layer(RequestContextLayer::new(setup).nesting(nesting))
        .service(innermost);
    stack.oneshot(Request::new(())).now_or_never().unwrap().unwrap();
    sent.recv().unwrap()
}

#[test]
fn the_nearest_id_is_propagated_below_nested_layers() {
    use Nesting::{Inherit, Override, Reuse};
    use Step::{Apply, Extract};

    let [outer, inner, changed] = ["outer", "inner", "changed"].map(|id| headers([(ID, id)]));
    let nothing = HeaderMap::new();
    for (nesting, steps, expected) in [
        (Override, &[][..], &nothing),
        (Override, &[Extract], &changed),
        (Override, &[Apply], &inner),
        (Override, &[Apply, Extract], &inner),
        (Override, &[Extract, Apply], &inner),
        (Inherit, &[], &outer),
        (Inherit, &[Extract], &outer),
        (Inherit, &[Apply], &inner),
        (Inherit, &[Apply, Extract], &inner),
        (Inherit, &[Extract, Apply], &inner),
        (Reuse, &[], &outer),
        (Reuse, &[Extract], &outer),
        (Reuse, &[Apply], &outer),
        (Reuse, &[Apply, Extract], &outer),
        (Reuse, &[Extract, Apply], &outer),
    ] {
        let mut sent = below_two_layers(nesting, ID, steps, ID);
        let other = sent.remove(CORRELATION);
        assert_eq!(sent, *expected, "{nesting:?} {steps:?}");
        assert_eq!(other.is_some(), nesting != Reuse && steps.contains(&Extract), "it is an ordinary header");
    }
}

#[test]
fn layers_with_different_headers_propagate_an_id_under_each() {
    for steps in [&[Step::Apply][..], &[Step::Apply, Step::Extract], &[Step::Extract, Step::Apply]] {
        for (outer, inner) in [(ID, CORRELATION), (CORRELATION, ID)] {
            let sent = below_two_layers(Nesting::Inherit, outer, steps, inner);
            assert_eq!(sent, headers([(outer, "outer"), (inner, "inner")]), "{steps:?}");
        }
    }
    // With `Override`, the outer policy's header is an ordinary header, which the inner setup does not extract.
    let sent = below_two_layers(Nesting::Override, CORRELATION, &[Step::Apply], ID);
    assert_eq!(sent, headers([(ID, "inner")]));
}

#[test]
fn two_policies_in_one_setup_propagate_an_id_under_each_header() {
    let list = listing([ID, CORRELATION]);
    for extract_before in 0..4 {
        for (first, last) in [(ID, CORRELATION), (CORRELATION, ID)] {
            let setup = |store: &mut Store, request: &mut Parts| {
                let steps = [Some(policy(first, "first")), Some(policy(last, "last")), None];
                for (number, policy) in steps.into_iter().enumerate() {
                    if number == extract_before {
                        list.extract(store, request);
                    }
                    if let Some(policy) = policy {
                        policy.apply(store, request);
                    }
                }
            };
            let (id, sent, _) = seen(setup, &list, FORGED);
            assert_eq!(id, Some(id_of("last")));
            assert_eq!(sent, headers([(first, "first"), (last, "last")]), "extracted before step {extract_before}");
        }
    }
}

#[test]
fn alternating_policies_give_each_header_its_last_id() {
    let list = listing([ID, CORRELATION, "x-id"]);
    let order = [(ID, "1"), (CORRELATION, "2"), (ID, "3"), ("x-id", "4"), (CORRELATION, "5"), (CORRELATION, "6")];
    let setup = |store: &mut Store, _: &mut Parts| {
        for (header, id) in order {
            policy(header, id).apply(store, &mut head(HeaderMap::new()));
        }
    };
    let (id, sent, _) = seen(setup, &list, FORGED);
    assert_eq!(id, Some(id_of("6")));
    assert_eq!(sent, headers([(ID, "3"), ("x-id", "4"), (CORRELATION, "6")]));
}

#[test]
fn id_set_by_the_application_is_propagated() {
    for header in [ID, CORRELATION] {
        let list = listing([ID, CORRELATION]);
        let context = |change: fn(&mut Store)| {
            let (mut store, mut head) = (Store::new(), head(lines(FORGED)));
            policy(header, "given").apply(&mut store, &mut head);
            change(&mut store);
            RequestContext::new(store)
        };
        let expect = |context: &RequestContext, id: &str| {
            assert_eq!(context.id(), Some(id_of(id)));
            assert_eq!(injected(&list, context), headers([(header, id)]));
        };
        expect(&context(|store| _ = store.insert(id_of("new"))), "new");
        expect(&context(|store| store.set(id_of("new"))), "new");
        expect(&context(|store| assert!(!store.set_if_absent(id_of("new")))), "given");
        expect(&context(|store| _ = store.update(|id: &mut RequestId| *id = id_of("new"))), "new");

        let shared = context(|_| {});
        let child = shared.child(Store::new()).child(Store::new().with_value(7_u8));
        expect(&child, "given");
        shared.set(id_of("set"));
        expect(&shared, "set");
        expect(&child, "set");
        child.set(id_of("of-the-child"));
        expect(&child, "of-the-child");
        expect(&shared, "set");
        expect(&shared.child(Store::new().with_value(id_of("of-a-job"))), "of-a-job");
    }
}

#[test]
fn removed_id_is_not_propagated() {
    for header in [ID, CORRELATION] {
        let list = listing([ID, CORRELATION]);
        let (mut store, mut head) = (Store::new(), head(headers([(header, "forged")])));
        list.extract(&mut store, &head);
        policy(header, "given").apply(&mut store, &mut head);
        assert!(store.remove::<RequestId>());
        let context = RequestContext::new(store);
        assert_eq!(injected(&list, &context), HeaderMap::new());
        assert_eq!(injected(&list, &context.child(Store::new())), HeaderMap::new());
    }
    // The same holds if another policy is applied afterwards.
    let (mut store, mut head) = (Store::new(), head(HeaderMap::new()));
    listing([ID]).extract(&mut store, &super::head(lines(FORGED)));
    policy(ID, "first").apply(&mut store, &mut head);
    store.remove::<RequestId>();
    policy(CORRELATION, "last").apply(&mut store, &mut head);
    let sent = injected(&listing([ID, CORRELATION]), &RequestContext::new(store));
    assert_eq!(sent, headers([(CORRELATION, "last")]));
}

#[tokio::test]
async fn id_of_a_job_is_propagated_under_the_default_header() {
    let list = listing([CORRELATION, ID]);
    let sent = async || {
        let mut sent = HeaderMap::new();
        list.inject(&mut sent);
        sent
    };
    let job = || Store::new().with_value(id_of("job-7"));
    assert_eq!(job().run(sent()).await, headers([(ID, "job-7")]));

    // Inside a request, the id of a job is propagated under the header of the request's policy.
    let (mut store, mut head) = (Store::new(), head(HeaderMap::new()));
    policy(CORRELATION, "given").apply(&mut store, &mut head);
    let inside = RequestContext::new(store).scope(async { job().run(sent()).await }).await;
    assert_eq!(inside, headers([(CORRELATION, "job-7")]));
}

#[test]
fn id_without_a_policy_wins_over_an_extracted_header() {
    let list = listing([ID, CORRELATION]);
    let mut store = Store::new().with_value(id_of("its-own"));
    list.extract(&mut store, &head(lines(&FORGED[..2])));
    let context = RequestContext::new(store);
    assert_eq!(injected(&list, &context), headers([(ID, "its-own"), (CORRELATION, "forged too")]));

    let extracted = RequestContext::new(super::extracted(&list, lines(&FORGED[..1])));
    assert_eq!(injected(&list, &extracted), headers([(ID, "forged")]));
    let job = extracted.child(Store::new().with_value(id_of("job-7")));
    assert_eq!(injected(&list, &job), headers([(ID, "job-7")]));
}

#[test]
fn a_list_without_the_header_does_not_propagate_the_id() {
    let (mut store, mut head) = (Store::new(), head(lines(FORGED)));
    policy(CORRELATION, "given").apply(&mut store, &mut head);
    let context = RequestContext::new(store);
    assert_eq!(injected(&listing([ID, "x-tenant"]), &context), HeaderMap::new());
    assert_eq!(injected(&HeaderPropagator::trace_context(), &context), HeaderMap::new());
}

#[test]
fn header_set_by_the_caller_wins_over_the_id() {
    let (mut store, mut head) = (Store::new(), head(HeaderMap::new()));
    policy(ID, "given").apply(&mut store, &mut head);
    let mut sent = lines(&[(ID, "of-the-caller")]);
    RequestContext::new(store).sync_scope(|| listing([ID]).inject(&mut sent));
    assert_eq!(sent, lines(&[(ID, "of-the-caller")]));
}

#[test]
fn limits_apply_to_the_id_as_to_other_headers() {
    let list = listing([ID, "x-tenant"]);
    let (mut store, mut head) = (Store::new(), head(lines(FORGED)));
    policy(ID, "123456").apply(&mut store, &mut head);
    list.extract(&mut store, &head);
    let context = RequestContext::new(store);
    let both = headers([(ID, "123456"), ("x-tenant", "cats")]);
    assert_eq!(injected(&list.clone().max_header_bytes(6).max_total_bytes(10), &context), both);
    for (per_header, total) in [(5, 10), (6, 9)] {
        let sent = injected(&list.clone().max_header_bytes(per_header).max_total_bytes(total), &context);
        assert_eq!(sent, headers([("x-tenant", "cats")]));
    }
}

#[test]
fn id_is_not_sensitive_under_any_header() {
    let (mut store, mut head) = (Store::new(), head(lines(FORGED)));
    policy(CORRELATION, "given").apply(&mut store, &mut head);
    let sent = injected(&listing([CORRELATION]), &RequestContext::new(store));
    assert!(!sent[CORRELATION].is_sensitive());
}

#[test]
fn id_under_traceparent_does_not_propagate_tracestate() {
    let trace = HeaderPropagator::trace_context();
    let (mut store, mut head) = (Store::new(), head(lines(&[("traceparent", "theirs"), ("tracestate", "cats=1")])));
    trace.extract(&mut store, &head);
    policy("traceparent", "ours").apply(&mut store, &mut head);
    trace.extract(&mut store, &head);
    assert_eq!(injected(&trace, &RequestContext::new(store)), headers([("traceparent", "ours")]));
}

#[test]
fn extraction_after_the_policy_stores_no_copy_of_the_id() {
    let list = listing([ID, CORRELATION]);
    let (mut store, mut head) = (Store::new(), head(HeaderMap::new()));
    policy(CORRELATION, "one").apply(&mut store, &mut head);
    policy(ID, "two").apply(&mut store, &mut head);
    let before = format!("{store:?}");
    assert_eq!(measure(|| list.extract(&mut store, &head)).count_total, 0);
    assert_eq!(format!("{store:?}"), before);
}

#[test]
fn id_is_propagated_if_the_request_headers_are_full() {
    let list = listing([ID]);
    let (mut store, mut head) = (Store::new(), head(map_with_room_for(0)));
    policy(ID, "given").apply(&mut store, &mut head);
    list.extract(&mut store, &head);
    assert!(!head.headers.contains_key(ID));
    let context = RequestContext::new(store);
    assert_eq!(injected(&list, &context), headers([(ID, "given")]));
    let mut full = map_with_room_for(0);
    context.sync_scope(|| list.inject(&mut full));
    assert!(!full.contains_key(ID));
}
