//! The number of allocations per operation, counted on the current thread.

use std::{
    convert::Infallible,
    future::{pending, ready},
    iter,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use allocation_counter::measure;
use futures_util::stream;
use http::{HeaderMap, HeaderName, Request, Response, request::Parts};
use http_body_util::StreamBody;
use hyper::body::{Body, Bytes, Frame};
use tokio_test::block_on;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_request_context::{RequestContext, RequestContextLayer, RequestId, RequestIdPolicy, Store};

#[derive(Clone, Copy, Debug, PartialEq)]
struct Value<const N: usize>(usize);

fn allocations(work: impl FnOnce()) -> u64 {
    measure(work).count_total
}

/// Returns a store of eight initial values, as many as fit in the inline list.
fn store_of_eight() -> Store {
    let store = Store::new().with_value(Value::<0>(0)).with_value(Value::<1>(1)).with_value(Value::<2>(2));
    let store = store.with_value(Value::<3>(3)).with_value(Value::<4>(4)).with_value(Value::<5>(5));
    store.with_value(Value::<6>(6)).with_value(Value::<7>(7))
}

/// Reads the first value, the last one and a missing one, with each method that reads.
fn read_in_each_way() {
    assert_eq!(RequestContext::get(), Some(Value::<0>(0)));
    assert_eq!(RequestContext::try_get(), Ok(Value::<7>(7)));
    assert_eq!(RequestContext::expect::<Value<3>>(), Value(3));
    assert_eq!(RequestContext::with(|value: &Value<5>| value.0), Some(5));
    assert!(RequestContext::contains::<Value<6>>() && !RequestContext::contains::<Value<8>>());
    assert_eq!(RequestContext::get::<Value<8>>(), None);
    assert!(RequestContext::is_active());
}

#[test]
fn reads_allocate_nothing() {
    RequestContext::new(store_of_eight()).sync_scope(|| assert_eq!(allocations(read_in_each_way), 0));
    RequestContext::inherit(Store::new()).child(store_of_eight()).child(Store::new()).sync_scope(|| {
        assert_eq!(allocations(read_in_each_way), 0);
    });
}

#[test]
fn reads_of_a_set_value_and_outside_a_context_allocate_nothing() {
    let context = RequestContext::new(Store::new());
    context.set(7_u8);
    let set = allocations(|| assert_eq!(context.get::<u8>(), Some(7)));
    let outside = allocations(|| assert_eq!(RequestContext::get::<u8>(), None));
    assert_eq!((set, outside), (0, 0));
}

/// The request has set a value, registered callbacks and called `get_or_init` before.
#[test]
fn reads_of_other_types_allocate_nothing() {
    let service = layer_with(store_of_eight).layer(service_fn(async |_: Request<()>| {
        RequestContext::set("late").unwrap();
        RequestContext::on_response(|_| {}).unwrap();
        RequestContext::on_end(|_| {}).unwrap();
        assert!(RequestContext::get_or_init(async || 1.5_f64).await > 1.0);
        let mut response = Response::new(String::new());
        response.extensions_mut().insert(allocations(read_in_each_way));
        Ok::<_, Infallible>(response)
    }));
    let response = block_on(service.oneshot(Request::new(()))).unwrap();
    assert_eq!(response.extensions().get(), Some(&0_u64));
}

#[test]
fn get_or_init_of_a_present_value_allocates_nothing() {
    let context = RequestContext::new(Store::new());
    block_on(context.get_or_init(async || 7_u8));
    let cx = &mut Context::from_waker(Waker::noop());
    let again = allocations(|| assert_eq!(pin!(context.get_or_init(async || 8_u8)).poll(cx), Poll::Ready(7)));
    assert_eq!(again, 0);
}

#[test]
fn panicking_initializers_leave_no_memory_allocated() {
    let context = RequestContext::new(Store::new());
    let initialize = || {
        let initializer = async || -> u8 { resume_unwind(Box::new("in an initializer")) };
        assert!(catch_unwind(AssertUnwindSafe(|| block_on(context.get_or_init(initializer)))).is_err());
    };
    initialize(); // the first call allocates what the store and the thread keep
    let later = measure(|| (0..100).for_each(|_| initialize()));
    assert_eq!((later.count_current, later.bytes_current), (0, 0));
}

#[test]
fn scopes_and_polls_in_them_allocate_nothing() {
    let cx = &mut Context::from_waker(Waker::noop());
    let context = RequestContext::new(Store::new());
    let mut scoped = pin!(context.scope(pending::<()>()));
    assert_eq!(allocations(|| assert!(scoped.as_mut().poll(cx).is_pending())), 0);

    let all = allocations(|| {
        assert!(pin!(context.scope(RequestContext::carry(RequestContext::exit(ready(()))))).poll(cx).is_ready());
        context.sync_scope(|| RequestContext::sync_exit(|| assert!(!RequestContext::is_active())));
    });
    assert_eq!(all, 0);
}

#[test]
fn frames_and_reads_in_them_allocate_nothing() {
    let service = service_fn(async |_: Request<()>| {
        let frames = (0..100).map(|_| {
            read_in_each_way();
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"frame")))
        });
        let trailers = iter::once_with(|| Ok(Frame::trailers(HeaderMap::new())));
        Ok::<_, Infallible>(Response::new(StreamBody::new(stream::iter(frames.chain(trailers)))))
    });
    let response = block_on(layer_with(store_of_eight).layer(service).oneshot(Request::new(()))).unwrap();
    let mut body = pin!(response.into_body());
    assert_eq!(allocations(|| assert_eq!(frames(body.as_mut()), 101)), 0);
}

/// Up to eight initial values take one more allocation each.
#[test]
fn layer_adds_one_allocation_per_request_and_one_per_value() {
    let bare = service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(String::from("a response"))));
    let without = allocations_of_request(bare);
    assert_eq!(allocations_of_request(RequestContextLayer::default().layer(bare)), without + 1);
    assert_eq!(allocations_of_request(layer_with(Store::new).layer(bare)), without + 1);
    assert_eq!(allocations_of_request(layer_with(|| Store::new().with_value(7_u8)).layer(bare)), without + 2);
    let three = layer_with(|| Store::new().with_value(7_u8).with_value("eight").with_value(String::new()));
    assert_eq!(allocations_of_request(three.layer(bare)), without + 4);
    assert_eq!(allocations_of_request(layer_with(store_of_eight).layer(bare)), without + 9);
}

// The ninth value takes two more: one for the overflow map and one for the part of the store that holds the map.
#[test]
fn initial_value_takes_one_allocation_and_the_ninth_two_more() {
    let of = |values: fn() -> Store| {
        let used = measure(|| drop(values()));
        assert_eq!((used.count_current, used.bytes_current), (0, 0));
        used.count_total
    };
    assert_eq!(of(|| Store::new().with_value(7_u8)), 1);
    assert_eq!(of(store_of_eight), 8);
    assert_eq!(of(|| store_of_eight().with_value([7_u8; 9])), 11);
}

// An id takes one allocation for its text and reference count, one for its box in the store, and one in the extensions
// for each version of tower-http. The echo is a callback.
#[test]
fn new_id_takes_four_allocations_and_its_echo_one() {
    create_generator();
    assert_eq!(allocations(|| drop(RequestId::new_v4())), 1);
    assert_eq!(allocations(|| drop(RequestId::new_v7())), 1);
    assert_eq!(allocations_of_id(&RequestIdPolicy::new().echo(false)), 4);
    assert_eq!(allocations_of_id(&RequestIdPolicy::new()), 5);
    assert_eq!(allocations_of_id(&RequestIdPolicy::new().accept_inbound()), 5);
}

#[test]
fn id_in_another_header_takes_one_more_allocation() {
    let own = RequestIdPolicy::new().header(HeaderName::from_static("x-correlation-id"));
    assert_eq!(allocations_of_id(&own.clone().echo(false)), 5);
    assert_eq!(allocations_of_id(&own), 6);
}

#[test]
fn parsed_id_takes_one_allocation_if_as_long_as_a_uuid_else_two() {
    let cloned = |text: &str| allocations(|| drop(text.parse::<RequestId>().unwrap().clone()));
    assert_eq!(cloned("0198c1a4-3f1c-7b3e-9f0a-2f6a1b3c4d5e"), 1);
    assert_eq!(cloned("01J9ZC8Q3N6W8T4V5X7Y2B1D0E"), 2);
}

#[test]
fn callback_takes_one_allocation() {
    let of = |setup: fn(&mut Store, &mut Parts)| {
        allocations_of_request(RequestContextLayer::new(setup).layer(service_fn(respond)))
    };
    let without = of(|_, _| {});
    assert_eq!(of(|store, _| store.on_end(|_| {})), without + 1);
    assert_eq!(of(|store, _| store.on_response(|_| {})), without + 1);
    let both = |store: &mut Store, _: &mut Parts| {
        store.on_end(|_| {});
        store.on_response(|_| {});
    };
    assert_eq!(of(both), without + 2);
}

// The first value also allocates the part of the store for such values, and the list in it. Replacing a value allocates
// nothing, unless a reader holds the old one.
#[test]
fn set_takes_one_allocation_and_the_first_two_more() {
    let context = RequestContext::new(Store::new());
    assert_eq!(allocations(|| context.set(7_u8)), 3);
    assert_eq!(allocations(|| context.set("eight")), 1);
    assert_eq!(allocations(|| context.set(9_u8)), 0);
    assert_eq!(allocations(|| assert_eq!(context.update(|n: &mut u8| *n += 1), Some(()))), 0);
    let read = context.with(|_: &u8| allocations(|| context.set(10_u8)));
    assert_eq!((read, context.get::<u8>()), (Some(1), Some(10)));
}

/// With the feature `fast-rng`, the first id of a thread also allocates the thread's generator.
fn create_generator() {
    drop(RequestId::new_v4());
}

/// Counts the allocations of a policy, for request parts with room for the id, as those from a server have.
fn allocations_of_id(policy: &RequestIdPolicy) -> u64 {
    let (mut parts, ()) = Request::builder().extension("of the server").body(()).unwrap().into_parts();
    parts.headers.reserve(8);
    let mut store = Store::new();
    create_generator();
    allocations(|| drop(policy.apply(&mut store, &mut parts)))
}

fn layer_with(make_store: impl Fn() -> Store + Copy) -> RequestContextLayer<impl Fn(&mut Store, &mut Parts) + Copy> {
    RequestContextLayer::new(move |store, _| *store = make_store())
}

async fn respond(_: Request<()>) -> Result<Response<String>, Infallible> {
    Ok(Response::new(String::from("a response")))
}

/// Counts the allocations of one request, from the call to the drop of the body.
fn allocations_of_request<S, B>(mut service: S) -> u64
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
    B: Body<Error = Infallible>,
{
    allocations(|| {
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(service.poll_ready(cx).is_ready());
        let Poll::Ready(Ok(response)) = pin!(service.call(Request::new(()))).poll(cx) else {
            panic!("the service was pending");
        };
        assert_eq!(frames(pin!(response.into_body())), 1);
    })
}

/// Counts the frames of a body that is never pending.
fn frames<B: Body<Error = Infallible>>(mut body: Pin<&mut B>) -> usize {
    let cx = &mut Context::from_waker(Waker::noop());
    let next = || match body.as_mut().poll_frame(cx) {
        Poll::Ready(frame) => frame,
        Poll::Pending => panic!("the body was pending"),
    };
    iter::from_fn(next).map(Result::unwrap).count()
}
