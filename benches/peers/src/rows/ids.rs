//! A request id: made, put on the request, kept for the code below, and echoed.

use std::convert::Infallible;

use http::{HeaderName, Request, Response};
use http_body_util::Empty;
use tower::{Layer, Service, ServiceBuilder, service_fn};
use tower_http::request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer};
use tower_request_context::{RequestContextLayer, RequestIdPolicy};

use super::drive::drive;
use crate::Row;

const IDS: &str = "a request id, applied and echoed";
const KNOWN: &str = "a request id that costs nothing to make";

pub(crate) const ROWS: &[Row] = &[
    Row { group: IDS, name: "the bare service", run: |n| drive::<_, (), _>(bare(), n) },
    Row {
        group: IDS,
        name: "SetRequestIdLayer + PropagateRequestIdLayer",
        run: |n| drive::<_, (), _>(theirs(tower_http::request_id::MakeRequestUuid), n),
    },
    Row {
        group: IDS,
        name: "RequestContextLayer, empty",
        run: |n| drive::<_, (), _>(RequestContextLayer::new(|_, _| {}).layer(bare()), n),
    },
    Row {
        group: IDS,
        name: "RequestContextLayer, RequestIdPolicy",
        run: |n| drive::<_, (), _>(ours(RequestIdPolicy::new()), n),
    },
    Row { group: KNOWN, name: "the bare service", run: |n| drive::<_, (), _>(bare(), n) },
    Row {
        group: KNOWN,
        name: "SetRequestIdLayer + PropagateRequestIdLayer",
        run: |n| drive::<_, (), _>(theirs(Same), n),
    },
    Row { group: KNOWN, name: "RequestContextLayer, RequestIdPolicy", run: same },
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

fn same(n: u64) {
    drive::<_, (), _>(ours(RequestIdPolicy::new().generate(|_| ID.parse().expect("it is an id"))), n);
}
