//! Where an id is found: in the store, on the request, and on the answer, whoever makes that.

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

use super::{app, id, ids, is_new, send, tell, the_id, the_line};
use crate::support::{OF_ONE_MESSAGE, VERSIONS, map_with_room_for, panic_text, text};

const HEADER: &str = "x-request-id";

/// Two ids of the application's own on its answer.
const OWN: AppendHeaders<[(&str, &str); 2]> = AppendHeaders([(HEADER, "its-own"), (HEADER, "another")]);

/// What is answered to a forged id, on each version of HTTP.
async fn answers(app: impl Fn() -> Router) -> [Response<Incoming>; 2] {
    let [one, two] = VERSIONS.map(|version| send(app(), version, HEADER, &[b"forged"]));
    [one.await, two.await]
}

#[track_caller]
fn is_new_on(response: &Response<Incoming>) {
    let id = str::from_utf8(the_line(response).1).unwrap();
    assert!(is_new(id), "{id}");
}

#[tokio::test]
async fn the_id_is_in_the_context_on_the_request_in_its_extensions_and_on_the_answer() {
    for response in answers(|| app(RequestIdPolicy::new())).await {
        assert!(is_new(the_id(&response).as_str()));
    }
}

#[tokio::test]
async fn apply_returns_the_id_that_the_store_holds_from_then_on() {
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
    for response in answers(app).await {
        let echoed = response.headers()[HEADER].clone();
        assert_eq!(text(response).await, echoed);
    }
}

#[tokio::test]
async fn an_error_answer_carries_the_id_who_makes_it_does_not_matter() {
    let app = || {
        let app = Router::new()
            .route("/", get(async || -> StatusCode { panic!("a handler that panics") }))
            .layer(CatchPanicLayer::new());
        app.layer(ids(RequestIdPolicy::new()))
    };
    for response in answers(app).await {
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        is_new_on(&response);
    }
    for response in answers(|| Router::new().layer(ids(RequestIdPolicy::new()))).await {
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        is_new_on(&response);
    }
}

/// Gives each request an id and refuses it.
#[expect(clippy::result_large_err, reason = "a refusal is a whole response")]
fn refusing(
    policy: RequestIdPolicy,
    own: bool,
) -> RequestContextLayer<impl Fn(&mut Store, &mut Parts) -> Result<(), axum::response::Response> + Clone> {
    RequestContextLayer::new(move |store: &mut Store, request: &mut Parts| {
        let id = policy.apply(store, request).to_string();
        let refusal = (StatusCode::UNAUTHORIZED, id).into_response();
        Err(if own { (OWN, refusal).into_response() } else { refusal })
    })
}

#[tokio::test]
async fn a_refusal_carries_the_id_once_also_where_it_has_an_id_of_its_own() {
    for own in [false, true] {
        for response in answers(|| Router::new().fallback(tell).layer(refusing(RequestIdPolicy::new(), own))).await {
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
            is_new_on(&response);
            let echoed = response.headers()[HEADER].clone();
            assert_eq!(text(response).await, echoed);
        }
    }
}

#[tokio::test]
async fn where_the_handler_sets_ids_itself_the_answer_has_one_line_and_that_is_the_id() {
    let app = || Router::new().fallback(async || (OWN, id())).layer(ids(RequestIdPolicy::new()));
    for response in answers(app).await {
        is_new_on(&response);
        let echoed = response.headers()[HEADER].clone();
        assert_eq!(text(response).await, echoed);
    }
}

#[tokio::test]
async fn without_the_echo_an_answer_or_a_refusal_is_as_it_was_made() {
    let silent = || RequestIdPolicy::new().echo(false);
    for response in answers(|| app(silent())).await {
        assert!(!response.headers().contains_key(HEADER));
        assert!(is_new(response.headers()["found-in-context"].to_str().unwrap()));
    }
    for response in answers(|| Router::new().layer(refusing(silent(), false))).await {
        assert!(!response.headers().contains_key(HEADER));
    }
    for response in answers(|| Router::new().fallback(async || OWN).layer(ids(silent()))).await {
        let own: Vec<_> = response.headers().get_all(HEADER).iter().collect();
        assert_eq!(own, ["its-own", "another"]);
    }
    for response in answers(|| app(silent().echo(true))).await {
        is_new_on(&response);
    }
}

#[tokio::test]
async fn an_echo_if_absent_leaves_a_response_that_has_an_id_as_it_is() {
    let keeping = || RequestIdPolicy::new().echo_if_absent();
    let own_of = |response: &Response<Incoming>| response.headers().get_all(HEADER).iter().cloned().collect::<Vec<_>>();
    for response in answers(|| Router::new().fallback(async || OWN).layer(ids(keeping()))).await {
        assert_eq!(own_of(&response), ["its-own", "another"]);
    }
    for response in answers(|| Router::new().layer(refusing(keeping(), true))).await {
        assert_eq!(own_of(&response), ["its-own", "another"]);
    }
    // Neither validated nor repaired.
    for response in answers(|| Router::new().fallback(async || [(HEADER, "")]).layer(ids(keeping()))).await {
        assert_eq!(own_of(&response), [""]);
    }
}

#[tokio::test]
async fn an_echo_if_absent_sets_the_id_on_a_response_that_has_none() {
    let keeping = || RequestIdPolicy::new().echo_if_absent();
    for response in answers(|| app(keeping())).await {
        assert!(is_new(the_id(&response).as_str()));
    }
    for response in answers(|| Router::new().fallback(tell).layer(refusing(keeping(), false))).await {
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        is_new_on(&response);
    }
    let name = HeaderName::from_static("x-correlation-id");
    let other = || Router::new().fallback(async || OWN).layer(ids(keeping().header(name.clone())));
    for response in answers(other).await {
        assert!(is_new(response.headers()[&name].to_str().unwrap()));
    }
}

#[tokio::test]
async fn the_last_choice_of_an_echo_counts() {
    let own = |policy: RequestIdPolicy| move || Router::new().fallback(async || OWN).layer(ids(policy.clone()));
    let kept = |response: &Response<Incoming>| response.headers().get_all(HEADER).iter().eq(["its-own", "another"]);
    let policies = [
        (RequestIdPolicy::new().echo(false).echo_if_absent(), true),
        (RequestIdPolicy::new().echo_if_absent().echo(false), true),
        (RequestIdPolicy::new().echo_if_absent().echo(true), false),
    ];
    for (policy, is_kept) in policies {
        for response in answers(own(policy.clone())).await {
            assert_eq!(kept(&response), is_kept, "{policy:?}");
        }
    }
}

#[test]
fn a_full_map_that_has_an_id_takes_the_new_one_in_its_place() {
    let full = || {
        let mut headers = map_with_room_for(2);
        headers.append(HEADER, "forged".parse().unwrap());
        headers.append(HEADER, "another".parse().unwrap());
        headers.append("x-last", "".parse().unwrap());
        assert!(headers.try_insert(HEADER, "not even in its place".parse().unwrap()).is_err());
        headers
    };
    let (mut store, mut head) = (Store::new(), Request::new(()).into_parts().0);
    head.headers = full();
    let given = RequestIdPolicy::new().apply(&mut store, &mut head);
    assert!(head.headers.get_all(HEADER).iter().eq([given.as_str()]));
    // Adopted, it is the one that stands there.
    let adopted = RequestIdPolicy::new().accept_inbound().apply(&mut Store::new(), &mut head);
    assert!(head.headers.get_all(HEADER).iter().eq([given.as_str()]) && adopted == given);

    let answering = service_fn(async |_: Request<()>| {
        let mut response = Response::new(String::new());
        *response.headers_mut() = full();
        response.extensions_mut().insert(RequestContext::id());
        Ok::<_, Infallible>(response)
    });
    let answer = ids(RequestIdPolicy::new()).layer(answering).oneshot(Request::new(()));
    let answer = answer.now_or_never().unwrap().unwrap();
    let given: Option<RequestId> = answer.extensions().get().cloned().flatten();
    assert!(answer.headers().get_all(HEADER).iter().eq([given.unwrap().as_str()]));
}

#[test]
fn a_request_or_an_answer_without_room_for_a_header_goes_on_without() {
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
    let answer = ids(RequestIdPolicy::new()).layer(full).oneshot(Request::new(()));
    assert_eq!(answer.now_or_never().unwrap().unwrap().headers(), &before);
}

#[test]
fn a_header_that_http_itself_needs_cannot_carry_the_id() {
    for name in OF_ONE_MESSAGE {
        let text = panic_text(|| RequestIdPolicy::new().header(HeaderName::from_static(name)));
        assert!(text.starts_with(&format!("the header `{name}` frames one message")), "{text}");
    }
}

#[tokio::test]
async fn another_header_is_read_replaced_and_echoed_in_place_of_the_usual_one() {
    let name = HeaderName::from_static("x-correlation-id");
    for version in VERSIONS {
        let app = app(RequestIdPolicy::new().header(name.clone()));
        let response = send(app, version, "x-correlation-id", &[b"forged", b"forged"]).await;
        assert!(is_new(the_id(&response).as_str()));
        assert_eq!(the_line(&response).0, name);
    }
}

#[tokio::test]
async fn a_service_that_fails_has_its_id_and_no_answer() {
    let failing = service_fn(async |_: Request<()>| Err::<Response<String>, _>(id()));
    let service = ServiceBuilder::new().layer(ids(RequestIdPolicy::new())).service(failing);
    let error = ServiceExt::oneshot(service, Request::new(())).await.unwrap_err();
    assert!(is_new(&error), "{error}");
}
