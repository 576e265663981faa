//! Who may say who asks: what to believe of a request, and what to pass on.
//!
//! The context hands what the setup puts there to everyone below, who will not ask again where it came from. All that a
//! request says is said by whoever sent it, so the setup is the place to decide what of it is believed:
//!
//! | what                     | at the edge                           | behind a proxy                       | inside a mesh   |
//! |--------------------------|---------------------------------------|--------------------------------------|-----------------|
//! | the request id           | made here, the default                | adopted, if the proxy sets or checks it | adopted      |
//! | `traceparent`, `tracestate` | not extracted, or from known peers  | extracted, if the proxy restarts the trace | extracted   |
//! | the user, the tenant     | from a token or a session, verified   | from the proxy, proven               | likewise        |
//! | `baggage`                | no                                    | no                                   | what you know   |
//!
//! # The request id
//!
//! [`RequestIdPolicy::new`] makes the id. A client that chooses it can make its requests look like another's in the logs, or
//! all alike; an id that goes into a log, a query or a shell unchecked can do worse ([CVE-2021-45046] came in through
//! logged input). Where a proxy sets the id, [`accept_inbound`] adopts it; where some peers are proxies and some are not,
//! [`accept_inbound_if`] asks who the peer is. An id that breaks the rules of [`RequestId`], or comes twice, is replaced
//! as if it had not come. The echo tells clients which id to quote when they complain; where layers are nested, the id of the outermost.
//! It replaces the id of an upstream's response; a proxy that should keep that one uses [`echo_if_absent`].
//!
//! ```
//! # use http::{Request, header::HeaderValue};
//! # use std::net::{IpAddr, SocketAddr};
//! # use tower_request_context::{RequestIdPolicy, Store};
//! use axum::extract::ConnectInfo;
//!
//! let load_balancer: IpAddr = "10.0.0.2".parse()?;
//! let ids = RequestIdPolicy::new().accept_inbound_if(move |request| {
//!     let peer = request.extensions.get::<ConnectInfo<SocketAddr>>();
//!     peer.is_some_and(|ConnectInfo(peer)| peer.ip() == load_balancer)
//! });
//! # let apply = |peer: [u8; 4]| {
//! #     let request = Request::builder().header("x-request-id", "balanced").extension(ConnectInfo(SocketAddr::from((peer, 9))));
//! #     ids.apply(&mut Store::new(), &mut request.body(()).unwrap().into_parts().0)
//! # };
//! # assert_eq!(apply([10, 0, 0, 2]).as_str(), "balanced");
//! # assert_ne!(apply([10, 0, 0, 3]).as_str(), "balanced");
//! # Ok::<_, std::net::AddrParseError>(())
//! ```
//!
//! The address of the peer is proof only as far as the network is yours. `X-Forwarded-For` is no proof of anything: it is a
//! header.
//!
//! # The user
//!
//! An identity is verified, not read: a token's signature, a session's record, a client certificate. To take it from a
//! header such as `x-user-id`, a proxy has to authenticate the user, set the header, remove what the client sent under that
//! name *and* its aliases, and be the only way in. Each of these has failed somewhere:
//!
//! * **Aliases.** Servers in the tradition of CGI take `X_User_Id`, and some `X.User.Id`, for `X-User-Id`: a proxy that
//!   strips one of them passes the others ([CVE-2026-33433], [CVE-2026-88011]). Refuse a request that has any.
//! * **Duplicates.** With two lines, one program reads the first and another the last. Refuse them, with `get_all`.
//! * **Leniency.** A value that is trimmed, decoded or cut until it fits is not what was verified. Refuse it.
//! * **Fallbacks.** Absence is `None`, never a default user or tenant.
//!
//! The example `identity` does all that, and is tested with these requests. It also marks the header as
//! [sensitive](http::HeaderValue::set_sensitive), so that `Debug` of the request does not show it and HTTP/2 does not index
//! it; [`HeaderPropagator`] does so with all it carries but trace context and request id.
//!
//! An identity is never taken from `baggage`, nor from a trace: both are notes that anybody on the way may write.
//!
//! # What is passed on
//!
//! [`HeaderPropagator`] carries what a request said to the services that it calls, unread. Three things to decide:
//!
//! * **From whom.** A stranger's `traceparent` with the sampled flag makes you record, and pay for, what they like; ids that
//!   collide on purpose make traces useless ([W3C Trace Context, 7.2]). At a public edge let the proxy restart traces, or
//!   extract from known peers only, with [`trust_if`].
//! * **How much.** Limits hold for a header with all its lines, since a limit on each line is evaded by sending many
//!   ([CVE-2026-29181]); what exceeds them is left out whole, since half a member of a list means something else.
//! * **To whom.** What is injected is told to the one who is called, and by a client that follows redirects to whomever
//!   that one names. Give clients of third parties no propagation, or one with `traceparent` alone; an internal tenant is
//!   nobody's business.
//!
//! The request id is not taken from the request: [`inject`] writes the one that [`RequestContext::id`] returns. So at an
//! edge, one list propagates the id for all clients, and the trace for known peers only:
//!
//! ```
//! # use http::{HeaderMap, HeaderName, Request};
//! # use std::net::SocketAddr;
//! # use tower_request_context::{HeaderPropagator, RequestContext, RequestContextLayer, RequestIdPolicy, Store};
//! # #[derive(Clone, Copy)]
//! # struct Peer(bool);
//! # fn is_known(request: &http::request::Parts) -> bool { request.extensions.get().is_some_and(|Peer(known)| *known) }
//! let ids = RequestIdPolicy::new();
//! let propagation = HeaderPropagator::trace_context().header("x-request-id").trust_if(is_known);
//!
//! let incoming = propagation.clone(); // and `propagation.inject(…)` on the way out
//! let layer = RequestContextLayer::new(move |store, request| {
//!     ids.apply(store, request);
//!     incoming.extract(store, request);
//! });
//! # use http::Response;
//! # use tower::{Layer, ServiceExt, service_fn};
//! # for known in [true, false] {
//! #     let outgoing = propagation.clone();
//! #     let service = layer.clone().layer(service_fn(move |_: Request<()>| {
//! #         let mut call = HeaderMap::new();
//! #         outgoing.inject(&mut call);
//! #         assert_eq!((call.contains_key("x-request-id"), call.contains_key("traceparent")), (true, known));
//! #         async { Ok::<_, ()>(Response::new(String::new())) }
//! #     }));
//! #     let request = Request::builder().header("traceparent", "00-1-2-01").extension(Peer(known)).body(()).unwrap();
//! #     assert!(tokio_test::block_on(service.oneshot(request)).is_ok());
//! # }
//! ```
//!
//! # Inside a mesh
//!
//! A sidecar proxy sees a call come in and another go out, and only the application knows that they belong together. So
//! Envoy and Istio ask it to forward some headers ([Istio], [Envoy]): `x-request-id` always; `traceparent` and `tracestate`;
//! for Zipkin the B3 headers; for others the headers of their tracer, these among them:
//!
//! ```
//! use http::HeaderName;
//! # use http::HeaderMap;
//! use tower_request_context::{HeaderPropagator, RequestContextLayer, RequestIdPolicy};
//!
//! const B3: [&str; 6] =
//!     ["b3", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags"]; // Zipkin
//! const OTHERS: [&str; 8] = [
//!     "x-datadog-trace-id", "x-datadog-parent-id", "x-datadog-sampling-priority", // Datadog
//!     "sw8", // SkyWalking
//!     "x-cloud-trace-context", "grpc-trace-bin", // Google Cloud, OpenCensus
//!     "x-ot-span-context", // Lightstep
//!     "x-amzn-trace-id", // AWS X-Ray
//! ];
//!
//! let ids = RequestIdPolicy::new().accept_inbound(); // the sidecar made it
//! let mesh = HeaderPropagator::trace_context().header("x-request-id");
//! let mesh = B3.into_iter().chain(OTHERS).fold(mesh, HeaderPropagator::header);
//!
//! let incoming = mesh.clone(); // and `mesh.inject(…)` on the way out
//! let layer = RequestContextLayer::new(move |store, request| {
//!     ids.apply(store, request);
//!     incoming.extract(store, request);
//! });
//! # use http::{Request, Response};
//! # use tower::{Layer, ServiceExt, service_fn};
//! # let service = layer.layer(service_fn(move |_: Request<()>| {
//! #     let mut call = HeaderMap::new();
//! #     mesh.inject(&mut call);
//! #     assert_eq!(call["x-request-id"], "from-envoy");
//! #     assert_eq!(call["x-b3-sampled"], "1");
//! #     assert_eq!(call.len(), 2);
//! #     async { Ok::<_, ()>(Response::new(String::new())) }
//! # }));
//! # let request = Request::builder().header("x-request-id", "from-envoy").header("x-b3-sampled", "1").header("cookie", "no");
//! # assert!(tokio_test::block_on(service.oneshot(request.body(()).unwrap())).is_ok());
//! ```
//!
//! Forward the lists of the tracers that you run, not all of them.
//!
//! [CVE-2021-45046]: https://nvd.nist.gov/vuln/detail/CVE-2021-45046
//! [CVE-2026-29181]: https://nvd.nist.gov/vuln/detail/CVE-2026-29181
//! [CVE-2026-33433]: https://nvd.nist.gov/vuln/detail/CVE-2026-33433
//! [CVE-2026-88011]: https://nvd.nist.gov/vuln/detail/CVE-2026-88011
//! [Envoy]: https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/observability/tracing#trace-context-propagation
//! [Istio]: https://istio.io/latest/docs/tasks/observability/distributed-tracing/overview/
//! [W3C Trace Context, 7.2]: https://www.w3.org/TR/trace-context/#denial-of-service
//! [`HeaderPropagator`]: crate::HeaderPropagator
//! [`RequestContext::id`]: crate::RequestContext::id
//! [`RequestId`]: crate::RequestId
//! [`RequestIdPolicy::new`]: crate::RequestIdPolicy::new
//! [`accept_inbound`]: crate::RequestIdPolicy::accept_inbound
//! [`accept_inbound_if`]: crate::RequestIdPolicy::accept_inbound_if
//! [`echo_if_absent`]: crate::RequestIdPolicy::echo_if_absent
//! [`inject`]: crate::HeaderPropagator::inject
//! [`trust_if`]: crate::HeaderPropagator::trust_if
