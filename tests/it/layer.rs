//! The layer and its service: when the setup runs, what is forwarded unchanged, and the `Debug` output.

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
};

use futures_util::FutureExt;
use http::{Request, Response, StatusCode, request::Parts};
use http_body::Body;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Bytes;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_request_context::{
    RequestContext, RequestContextLayer, RequestContextService, ResponseBody, Store, WeakRequestContext,
};

use crate::support::{User, bare_request as request, layer, text};

type FullResponse = Response<Full<Bytes>>;

/// Responds with the name of the current user.
async fn respond_with_user(_: Request<()>) -> Result<FullResponse, StatusCode> {
    Ok(Response::new(Full::from(User::name())))
}

fn outer_context(id: u32) -> RequestContext {
    RequestContext::new(Store::new().with_value(User(id)))
}

#[tokio::test]
async fn setup_runs_once_per_request_in_the_outer_context() {
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let called = Arc::clone(&runs);
    let layer = RequestContextLayer::new(move |store, _| {
        store.insert(counted.fetch_add(1, Ordering::SeqCst));
        store.insert(User::name());
    });
    let mut service = layer.layer(service_fn(move |_: Request<()>| {
        let before_call = called.load(Ordering::SeqCst);
        async move { Ok::<_, ()>(Response::new(format!("{before_call} {}", RequestContext::expect::<String>()))) }
    }));
    let first = outer_context(1).sync_scope(|| service.call(request(None)));
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert_eq!(text(first.await.unwrap()).await, "1 user 1");
    assert_eq!(text(service.call(request(None)).await.unwrap()).await, "2 nobody");
}

#[tokio::test]
async fn setup_may_read_and_change_the_request_parts() {
    let layer = RequestContextLayer::new(|store, parts| {
        store.insert(parts.uri.clone());
        parts.headers.remove(User::HEADER);
    });
    let service = layer.layer(service_fn(async |request: Request<()>| {
        assert!(!request.headers().contains_key(User::HEADER));
        Ok::<_, ()>(Response::new(RequestContext::expect::<http::Uri>().to_string()))
    }));
    let request = Request::builder().uri("/cats?n=1").header(User::HEADER, 1).body(()).unwrap();
    assert_eq!(text(service.oneshot(request).await.unwrap()).await, "/cats?n=1");
}

#[tokio::test]
async fn rejection_is_returned_without_calling_the_inner_service() {
    #[expect(clippy::result_large_err, reason = "a rejection is a whole response")]
    let layer = RequestContextLayer::new(|store, parts| {
        let user = User::of(parts).ok_or_else(|| {
            let mut rejection = Response::new(String::from("who are you?"));
            *rejection.status_mut() = StatusCode::UNAUTHORIZED;
            rejection
        })?;
        store.insert(user);
        Ok(())
    });
    let calls = AtomicU32::new(0);
    let service = layer.layer(service_fn(|request| {
        calls.fetch_add(1, Ordering::SeqCst);
        respond_with_user(request)
    }));
    let response = service.clone().oneshot(request(None)).await.unwrap();
    assert_eq!((response.status(), calls.load(Ordering::SeqCst)), (StatusCode::UNAUTHORIZED, 0));
    assert_eq!(response.body().size_hint().exact(), Some(12));
    assert_eq!(text(response).await, "who are you?");
    assert_eq!(text(service.oneshot(request(Some(1))).await.unwrap()).await, "user 1");
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn panic_in_the_setup_restores_the_outer_context() {
    let service = RequestContextService::new(service_fn(respond_with_user), |store, parts| {
        store.insert(User(1));
        assert!(parts.headers.contains_key(User::HEADER), "no user header");
        store.insert(User(2));
    });
    outer_context(9).sync_scope(|| {
        let panic = catch_unwind(AssertUnwindSafe(|| service.clone().call(request(None))));
        assert_eq!(*panic.unwrap_err().downcast::<&str>().unwrap(), "no user header");
        assert_eq!(User::name(), "user 9");
    });
    assert_eq!(text(service.oneshot(request(Some(1))).await.unwrap()).await, "user 2");
    assert!(!RequestContext::is_active());
}

#[tokio::test]
async fn errors_of_the_inner_service_are_forwarded_unchanged() {
    let service =
        layer().layer(service_fn(async |_: Request<()>| Err::<FullResponse, _>(format!("no, {}", User::name()))));
    assert_eq!(service.oneshot(request(Some(1))).await.unwrap_err(), "no, user 1");
}

#[test]
fn poll_ready_is_forwarded_and_runs_outside_the_context() {
    struct ReadinessSequence(Vec<Poll<Result<(), &'static str>>>);

    impl Service<Request<()>> for ReadinessSequence {
        type Response = FullResponse;
        type Error = &'static str;
        type Future = std::future::Ready<Result<FullResponse, &'static str>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
            assert!(!RequestContext::is_active());
            self.0.pop().unwrap()
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            unreachable!("the service is never called")
        }
    }

    let mut service =
        layer().layer(ReadinessSequence(vec![Poll::Ready(Err("broken")), Poll::Ready(Ok(())), Poll::Pending]));
    let cx = &mut Context::from_waker(std::task::Waker::noop());
    assert_eq!(service.poll_ready(cx), Poll::Pending);
    assert_eq!(service.poll_ready(cx), Poll::Ready(Ok(())));
    assert_eq!(service.poll_ready(cx), Poll::Ready(Err("broken")));
}

#[tokio::test]
async fn body_is_forwarded_unchanged_up_to_its_first_error() {
    let frames =
        [Ok("one"), Err("two"), Ok("three")].map(|frame| frame.map(|data| http_body::Frame::data(Bytes::from(data))));
    let mut body = Some(http_body_util::StreamBody::new(futures_util::stream::iter(frames)));
    let service = layer().layer(service_fn(move |_: Request<()>| {
        let response = Response::new(body.take().unwrap());
        async { Ok::<_, ()>(response) }
    }));
    let mut body = service.oneshot(request(None)).await.unwrap().into_body();
    assert_eq!((body.size_hint().lower(), body.size_hint().upper(), body.is_end_stream()), (0, None, false));
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "one");
    assert_eq!(body.frame().await.unwrap().unwrap_err(), "two");
    assert!(body.frame().await.is_none(), "nothing comes after an error");
    assert!(body.is_end_stream());

    let empty = layer().layer(service_fn(async |_: Request<()>| Ok::<_, ()>(Response::new(Empty::<Bytes>::new()))));
    let body = empty.oneshot(request(None)).await.unwrap().into_body();
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(0), true));
}

#[tokio::test]
async fn body_of_a_rejection_is_forwarded_unchanged() {
    let layer = RequestContextLayer::new(|_, _| Err(Response::new(Empty::<Bytes>::new())));
    let body = layer.layer(service_fn(respond_with_user)).oneshot(request(None)).await.unwrap().into_body();
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(0), true));
}

/// As the availability table in the README says.
#[tokio::test]
async fn size_hint_and_is_end_stream_run_outside_the_context() {
    struct ContextDetector;

    impl Body for ContextDetector {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
            assert!(RequestContext::is_active());
            Poll::Ready(None)
        }

        fn is_end_stream(&self) -> bool {
            RequestContext::is_active()
        }

        fn size_hint(&self) -> http_body::SizeHint {
            http_body::SizeHint::with_exact(RequestContext::is_active().into())
        }
    }

    let service = layer().layer(service_fn(async |_: Request<()>| Ok::<_, ()>(Response::new(ContextDetector))));
    let mut body = service.oneshot(request(Some(1))).await.unwrap().into_body();
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(0), false));
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn default_body_is_the_default_of_the_inner_body() {
    let body = ResponseBody::<Full<Bytes>, String>::default();
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
    assert_eq!(body.collect().await.unwrap().to_bytes(), "");
}

#[tokio::test]
async fn default_layer_creates_an_empty_context() {
    let service = RequestContextLayer::default().layer(service_fn(async |request| {
        assert_eq!(RequestContext::get::<User>(), None);
        RequestContext::set(User(7)).unwrap();
        respond_with_user(request).await
    }));
    assert_eq!(text(service.oneshot(request(Some(1))).await.unwrap()).await, "user 7");
}

#[tokio::test]
async fn extension_is_a_weak_handle_to_the_same_context() {
    async fn respond_with_extension(request: Request<()>) -> Result<Response<Full<Bytes>>, StatusCode> {
        let mut response = respond_with_user(Request::new(())).await?;
        if let Some(weak) = request.extensions().get::<WeakRequestContext>() {
            RequestContext::set("set later").unwrap();
            assert_eq!(weak.upgrade().unwrap().get(), Some("set later"));
            response.extensions_mut().insert(weak.clone());
        }
        Ok(response)
    }

    let response =
        layer().insert_extension().layer(service_fn(respond_with_extension)).oneshot(request(Some(1))).await.unwrap();
    let weak = response.extensions().get::<WeakRequestContext>().unwrap().clone();
    assert_eq!(weak.upgrade().unwrap().get(), Some(User(1)), "the body keeps the context");
    drop(response);
    assert!(weak.upgrade().is_none());

    let without = layer().layer(service_fn(respond_with_extension)).oneshot(request(Some(1))).await.unwrap();
    assert!(without.extensions().is_empty());
}

#[test]
fn debug_output_shows_no_values() {
    fn setup(store: &mut Store, _: &mut Parts) {
        store.insert(User(4711));
    }

    let layer = RequestContextLayer::new(setup);
    let layer_text = format!("{layer:?}");
    let name = std::any::type_name_of_val(&setup);
    assert_eq!(
        layer_text,
        format!("RequestContextLayer {{ setup: {name}, nesting: Override, insert_extension: false }}")
    );

    let mut service = layer.layer(service_fn(respond_with_user));
    let service_text = format!("{service:?}");
    assert!(service_text.contains("inner: tower::util::service_fn::ServiceFn<"), "{service_text}");
    assert!(service_text.contains(&layer_text), "{service_text}");

    let future = service.call(request(None));
    let future_text = format!("{future:?}");
    let context = "context: Some(RequestContext { values: {it::support::User} })";
    assert!(
        future_text.starts_with(&format!("ResponseFuture {{ inner: Scoped {{ {context}, inner: ")),
        "{future_text}"
    );

    let body = future.now_or_never().unwrap().unwrap().into_body();
    let body_text = format!("{body:?}");
    assert!(body_text.starts_with(&format!("ResponseBody {{ inner: Scoped {{ {context}, inner: ")), "{body_text}");

    #[expect(clippy::result_large_err, reason = "a rejection is a whole response")]
    let rejecting = RequestContextLayer::new(|store, _| {
        store.insert(User(4711));
        Err(Response::new(Full::<Bytes>::default()))
    });
    let rejected = rejecting.layer(service_fn(respond_with_user)).call(request(None));
    let rejected_text = format!("{rejected:?}");
    assert!(rejected_text.starts_with(&format!("ResponseFuture {{ rejection: Scoped {{ {context}")), "{rejected_text}");
    let rejection_body_text = format!("{:?}", rejected.now_or_never().unwrap().unwrap().into_body());
    assert!(
        rejection_body_text.starts_with(&format!("ResponseBody {{ rejection: Scoped {{ {context}")),
        "{rejection_body_text}"
    );

    for text in [layer_text, service_text, future_text, body_text, rejected_text, rejection_body_text] {
        assert!(!text.contains("4711"), "{text}");
    }
}

#[test]
fn services_and_layers_satisfy_the_bounds_of_servers() {
    fn assert_server_bounds<T: Clone + Send + Sync + Unpin + 'static>(_: &T) {}

    let layer = RequestContextLayer::new(|_, _| {});
    let copy = layer;
    assert_server_bounds(&layer);
    let mut service = copy.layer(7);
    assert_server_bounds(&service);
    *service.get_mut() += 1;
    assert_eq!((*service.get_ref(), service.into_inner()), (8, 8));
}
