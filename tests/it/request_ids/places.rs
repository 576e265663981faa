//! Where an id is set: in the store, on the request and its extensions, and on the response.

use std::convert::Infallible;

use axum::{
    Router,
    response::{AppendHeaders, IntoResponse},
    routing::get,
};
use futures_util::FutureExt;
use http::{HeaderName, Request, Response, StatusCode, request::Parts};
use hyper::body::Incoming;
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_http::catch_panic::CatchPanicLayer;
use tower_request_context::{RequestContext, RequestContextLayer, RequestId, RequestIdPolicy, Store};

use super::{app, consistent_id, echoed_line, id, ids, is_new, report_ids, send};
use crate::support::{NOT_FORWARDABLE, VERSIONS, map_with_room_for, panic_text, text};

const HEADER: &str = "x-request-id";

/// Two ids that the application sets on its response.
const OWN: AppendHeaders<[(&str, &str); 2]> = AppendHeaders([(HEADER, "its-own"), (HEADER, "another")]);

/// Returns the responses to a forged id, one for each version of HTTP.
async fn responses(app: impl Fn() -> Router) -> [Response<Incoming>; 2] {
    let [one, two] = VERSIONS.map(|version| send(app(), version, HEADER, &[b"forged"]));
    [one.await, two.await]
}

#[track_caller]
fn assert_new_id(response: &Response<Incoming>) {
    let id = str::from_utf8(echoed_line(response).1).unwrap();
    assert!(is_new(id), "{id}");
}

#[tokio::test]
async fn id_is_set_in_context_request_extensions_and_response() {
    for response in responses(|| app(RequestIdPolicy::new())).await {
        assert!(is_new(consistent_id(&response).as_str()));
    }
}

#[tokio::test]
async fn apply_returns_the_stored_id() {
    let app = || {
        Router::new().fallback(async || RequestContext::expect::<String>()).layer(RequestContextLayer::new(
            |store, request| {
                assert_eq!(store.id(), None);
                let id = RequestIdPolicy::new().apply(store, request);
                assert_eq!(store.id().as_ref(), Some(&id));
                store.insert(id.to_string());
            },
        ))
    };
    for response in responses(app).await {
        let echoed = response.headers()[HEADER].clone();
        assert_eq!(text(response).await, echoed);
    }
}

#[tokio::test]
async fn error_responses_carry_the_id() {
    let app = || {
        let app = Router::new()
            .route("/", get(async || -> StatusCode { panic!("a handler that panics") }))
            .layer(CatchPanicLayer::new());
        app.layer(ids(RequestIdPolicy::new()))
    };
    for response in responses(app).await {
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_new_id(&response);
    }
    for response in responses(|| Router::new().layer(ids(RequestIdPolicy::new()))).await {
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_new_id(&response);
    }
}

/// Applies the policy to each request, and rejects it. With `own`, the response also sets its own ids.
#[expect(clippy::result_large_err, reason = "a rejection is a whole response")]
fn rejecting(
    policy: RequestIdPolicy,
    own: bool,
) -> RequestContextLayer<impl Fn(&mut Store, &mut Parts) -> Result<(), axum::response::Response> + Clone> {
    RequestContextLayer::new(move |store: &mut Store, request: &mut Parts| {
        let id = policy.apply(store, request).to_string();
        let rejection = (StatusCode::UNAUTHORIZED, id).into_response();
        Err(if own { (OWN, rejection).into_response() } else { rejection })
    })
}

#[tokio::test]
async fn rejection_carries_the_id_once() {
    for own in [false, true] {
        for response in
            responses(|| Router::new().fallback(report_ids).layer(rejecting(RequestIdPolicy::new(), own))).await
        {
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
            assert_new_id(&response);
            let echoed = response.headers()[HEADER].clone();
            assert_eq!(text(response).await, echoed);
        }
    }
}

#[tokio::test]
async fn id_replaces_those_set_by_the_handler() {
    let app = || Router::new().fallback(async || (OWN, id())).layer(ids(RequestIdPolicy::new()));
    for response in responses(app).await {
        assert_new_id(&response);
        let echoed = response.headers()[HEADER].clone();
        assert_eq!(text(response).await, echoed);
    }
}

#[tokio::test]
async fn without_echo_responses_are_unchanged() {
    let silent = || RequestIdPolicy::new().echo(false);
    for response in responses(|| app(silent())).await {
        assert!(!response.headers().contains_key(HEADER));
        assert!(is_new(response.headers()["found-in-context"].to_str().unwrap()));
    }
    for response in responses(|| Router::new().layer(rejecting(silent(), false))).await {
        assert!(!response.headers().contains_key(HEADER));
    }
    for response in responses(|| Router::new().fallback(async || OWN).layer(ids(silent()))).await {
        let own: Vec<_> = response.headers().get_all(HEADER).iter().collect();
        assert_eq!(own, ["its-own", "another"]);
    }
    for response in responses(|| app(silent().echo(true))).await {
        assert_new_id(&response);
    }
}

#[tokio::test]
async fn echo_if_absent_keeps_an_existing_id() {
    let if_absent = || RequestIdPolicy::new().echo_if_absent();
    let own_of = |response: &Response<Incoming>| response.headers().get_all(HEADER).iter().cloned().collect::<Vec<_>>();
    for response in responses(|| Router::new().fallback(async || OWN).layer(ids(if_absent()))).await {
        assert_eq!(own_of(&response), ["its-own", "another"]);
    }
    for response in responses(|| Router::new().layer(rejecting(if_absent(), true))).await {
        assert_eq!(own_of(&response), ["its-own", "another"]);
    }
    // An id of the application is neither validated nor replaced.
    for response in responses(|| Router::new().fallback(async || [(HEADER, "")]).layer(ids(if_absent()))).await {
        assert_eq!(own_of(&response), [""]);
    }
}

#[tokio::test]
async fn echo_if_absent_sets_a_missing_id() {
    let if_absent = || RequestIdPolicy::new().echo_if_absent();
    for response in responses(|| app(if_absent())).await {
        assert!(is_new(consistent_id(&response).as_str()));
    }
    for response in responses(|| Router::new().fallback(report_ids).layer(rejecting(if_absent(), false))).await {
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_new_id(&response);
    }
    let name = HeaderName::from_static("x-correlation-id");
    let other = || Router::new().fallback(async || OWN).layer(ids(if_absent().header(name.clone())));
    for response in responses(other).await {
        assert!(is_new(response.headers()[&name].to_str().unwrap()));
    }
}

#[tokio::test]
async fn last_echo_setting_wins() {
    let own = |policy: RequestIdPolicy| move || Router::new().fallback(async || OWN).layer(ids(policy.clone()));
    let kept = |response: &Response<Incoming>| response.headers().get_all(HEADER).iter().eq(["its-own", "another"]);
    let policies = [
        (RequestIdPolicy::new().echo(false).echo_if_absent(), true),
        (RequestIdPolicy::new().echo_if_absent().echo(false), true),
        (RequestIdPolicy::new().echo_if_absent().echo(true), false),
    ];
    for (policy, is_kept) in policies {
        for response in responses(own(policy.clone())).await {
            assert_eq!(kept(&response), is_kept, "{policy:?}");
        }
    }
}

#[test]
fn id_is_replaced_in_a_full_header_map() {
    let full = || {
        let mut headers = map_with_room_for(2);
        headers.append(HEADER, "forged".parse().unwrap());
        headers.append(HEADER, "another".parse().unwrap());
        headers.append("x-last", "".parse().unwrap());
        assert!(headers.try_insert(HEADER, "rejected".parse().unwrap()).is_err());
        headers
    };
    let (mut store, mut head) = (Store::new(), Request::new(()).into_parts().0);
    head.headers = full();
    let given = RequestIdPolicy::new().apply(&mut store, &mut head);
    assert!(head.headers.get_all(HEADER).iter().eq([given.as_str()]));
    // A policy that accepts inbound ids uses this one.
    let accepted = RequestIdPolicy::new().accept_inbound().apply(&mut Store::new(), &mut head);
    assert!(head.headers.get_all(HEADER).iter().eq([given.as_str()]) && accepted == given);

    let responding = service_fn(async |_: Request<()>| {
        let mut response = Response::new(String::new());
        *response.headers_mut() = full();
        response.extensions_mut().insert(RequestContext::id());
        Ok::<_, Infallible>(response)
    });
    let response = ids(RequestIdPolicy::new()).layer(responding).oneshot(Request::new(()));
    let response = response.now_or_never().unwrap().unwrap();
    let given: Option<RequestId> = response.extensions().get().cloned().flatten();
    assert!(response.headers().get_all(HEADER).iter().eq([given.unwrap().as_str()]));
}

#[test]
fn clone_of_a_policy_is_configured_on_its_own() {
    let policy = RequestIdPolicy::new();
    let clone = policy.clone().header("x-correlation-id").accept_inbound().echo(false);
    assert_eq!((policy.header_name().as_str(), clone.header_name().as_str()), (HEADER, "x-correlation-id"));
    assert_eq!(format!("{policy:?}"), format!("{:?}", RequestIdPolicy::new()));
    assert!(format!("{clone:?}").contains("accept_inbound: true, echo: false"));
}

#[test]
fn full_response_headers_keep_their_id_with_echo_if_absent() {
    let full = service_fn(async |_: Request<()>| {
        let mut response = Response::new(String::new());
        *response.headers_mut() = map_with_room_for(1);
        response.headers_mut().append(HEADER, "its-own".parse().unwrap());
        Ok::<_, Infallible>(response)
    });
    let response = ids(RequestIdPolicy::new().echo_if_absent()).layer(full).oneshot(Request::new(()));
    let response = response.now_or_never().unwrap().unwrap();
    assert!(response.headers().get_all(HEADER).iter().eq(["its-own"]));
}

#[test]
fn full_header_map_is_left_without_the_id() {
    let (mut store, mut head) = (Store::new(), Request::new(()).into_parts().0);
    head.headers = map_with_room_for(0);
    let before = head.headers.clone();
    let id = RequestIdPolicy::new().apply(&mut store, &mut head);
    assert_eq!((store.id(), &head.headers), (Some(id), &before));

    let full = service_fn(async |_: Request<()>| {
        let mut response = Response::new(String::new());
        *response.headers_mut() = map_with_room_for(0);
        Ok::<_, Infallible>(response)
    });
    let response = ids(RequestIdPolicy::new()).layer(full).oneshot(Request::new(()));
    assert_eq!(response.now_or_never().unwrap().unwrap().headers(), &before);
}

#[test]
fn framing_and_connection_headers_cannot_hold_the_id() {
    for name in NOT_FORWARDABLE {
        let text = panic_text(|| RequestIdPolicy::new().header(HeaderName::from_static(name)));
        assert!(text.starts_with(&format!("the header `{name}` frames one message")), "{text}");
    }
}

#[tokio::test]
async fn custom_header_replaces_the_default_one() {
    let name = HeaderName::from_static("x-correlation-id");
    for version in VERSIONS {
        let app = app(RequestIdPolicy::new().header(name.clone()));
        let response = send(app, version, "x-correlation-id", &[b"forged", b"forged"]).await;
        assert!(is_new(consistent_id(&response).as_str()));
        assert_eq!(echoed_line(&response).0, name);
    }
}

#[tokio::test]
async fn service_error_is_returned_without_a_response() {
    let failing = service_fn(async |_: Request<()>| Err::<Response<String>, _>(id()));
    let service = ServiceBuilder::new().layer(ids(RequestIdPolicy::new())).service(failing);
    let error = ServiceExt::oneshot(service, Request::new(())).await.unwrap_err();
    assert!(is_new(&error), "{error}");
}
