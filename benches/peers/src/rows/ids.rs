//! A request id: made, put on the request, kept for the code below, and echoed.

use std::convert::Infallible;

use http::{HeaderName, Request, Response};
use http_body_util::Empty;
use tower::{Layer, Service, ServiceBuilder, service_fn};
use tower_http::request_id::{MakeRequestId, MakeRequestUuid, PropagateRequestIdLayer, RequestId, SetRequestIdLayer};
use tower_request_context::{RequestContextLayer, RequestIdPolicy};

use super::drive::drive;
use crate::{Group, Row, Target};

const THEIRS: &str = "SetRequestIdLayer + PropagateRequestIdLayer";
const OURS: &str = "RequestContextLayer, RequestIdPolicy";
const EMPTY: &str = "RequestContextLayer, empty";
const ONLY: &str = "RequestContextLayer, RequestIdPolicy without an echo";
const HALF: &[Target] = &[Target::times(OURS, 0.5, THEIRS)];

pub(crate) const GROUPS: &[Group] = &[
    Group {
        name: "a request id, applied and echoed",
        floor: true,
        rows: &[
            Row::new("the bare service", |n| drive(bare(), n)),
            Row::new(THEIRS, |n| drive(theirs(MakeRequestUuid), n)),
            Row::new(EMPTY, |n| drive(empty(), n)),
            Row::new(OURS, |n| drive(ours(RequestIdPolicy::new()), n)),
        ],
        targets: HALF,
    },
    Group {
        name: "a request id that costs nothing to make, applied and echoed",
        floor: true,
        rows: &[
            Row::new("the bare service", |n| drive(bare(), n)),
            Row::new(THEIRS, |n| drive(theirs(Same), n)),
            Row::new(EMPTY, |n| drive(empty(), n)),
            Row::new(OURS, |n| drive(ours(RequestIdPolicy::new().generate(|_| known())), n)),
        ],
        targets: HALF,
    },
    Group {
        name: "a request id where the layer is there anyway",
        floor: true,
        rows: &[
            Row::new(EMPTY, |n| drive(empty(), n)),
            Row::new(ONLY, |n| drive(ours(RequestIdPolicy::new().echo(false)), n)),
            Row::new(OURS, |n| drive(ours(RequestIdPolicy::new()), n)),
        ],
        targets: &[],
    },
];

type Answer = Result<Response<Empty<&'static [u8]>>, Infallible>;

fn bare() -> impl Service<Request<()>, Response = Response<Empty<&'static [u8]>>, Error = Infallible> {
    service_fn(async |_: Request<()>| Answer::Ok(Response::new(Empty::new())))
}

fn theirs<M>(made: M) -> impl Service<Request<()>, Response = Response<Empty<&'static [u8]>>, Error = Infallible>
where
    M: MakeRequestId + Clone,
{
    let name = HeaderName::from_static("x-request-id");
    let set = SetRequestIdLayer::new(name.clone(), made);
    ServiceBuilder::new().layer(set).layer(PropagateRequestIdLayer::new(name)).service(bare())
}

fn empty() -> impl Service<Request<()>, Response = Response<impl http_body::Body>, Error = Infallible> {
    RequestContextLayer::new(|_, _| {}).layer(bare())
}

fn ours(
    ids: RequestIdPolicy,
) -> impl Service<Request<()>, Response = Response<impl http_body::Body>, Error = Infallible> {
    let layer = RequestContextLayer::new(move |store, request| {
        ids.apply(store, request);
    });
    layer.layer(bare())
}

#[derive(Clone)]
struct Same;

const ID: &str = "0198c1a4-3f1c-7b3e-9f0a-2f6a1b3c4d5e";

impl MakeRequestId for Same {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<RequestId> {
        Some(RequestId::new(ID.parse().expect("it is ASCII")))
    }
}

fn known() -> tower_request_context::RequestId {
    ID.parse().expect("it is an id")
}
