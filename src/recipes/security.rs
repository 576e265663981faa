//! Which parts of a request to trust, which headers to forward, and which errors to show.
//!
//! Everything in a request is client input. Code below the layer takes the values in the context as true. So the setup
//! closure has to decide which parts of a request to trust:
//!
//! | Value                    | At the edge                           | Behind a reverse proxy               | Inside a service mesh |
//! |--------------------------|---------------------------------------|--------------------------------------|-----------------|
//! | the request id           | made here, the default                | accepted, if the proxy sets or checks it | accepted     |
//! | `traceparent`, `tracestate` | not extracted, or from known peers  | extracted, if the proxy restarts the trace | extracted   |
//! | the user, the tenant     | from a token or a session, verified   | from the proxy, if no client can set it | from the proxy, if no client can set it |
//! | `baggage`                | no                                    | no                                   | the members that you know |
//!
//! # Request ids
//!
//! [`RequestIdPolicy::new`] makes the id. An id that the client chooses can collide with the ids of other requests in
//! your logs. An unchecked id can also inject text into a log, a query or a shell command. [CVE-2021-45046] was
//! exploited through logged input.
//!
//! * If a proxy sets the id, [`accept_inbound`] accepts it. If only some peers are proxies, [`accept_inbound_if`] takes
//!   a predicate that looks at the peer.
//! * An id that breaks the rules of [`RequestId`], or that comes twice, is replaced like a missing one.
//! * The response has the id too, so that clients can quote it. With nested layers, it has the id of the outermost.
//! * If the handler forwards the response of another server, this id replaces that server's. To keep that server's id,
//!   use [`echo_if_absent`].
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
//! #     let peer = ConnectInfo(SocketAddr::from((peer, 9)));
//! #     let request = Request::builder().header("x-request-id", "balanced").extension(peer);
//! #     ids.apply(&mut Store::new(), &mut request.body(()).unwrap().into_parts().0)
//! # };
//! # assert_eq!(apply([10, 0, 0, 2]).as_str(), "balanced");
//! # assert_ne!(apply([10, 0, 0, 3]).as_str(), "balanced");
//! # Ok::<_, std::net::AddrParseError>(())
//! ```
//!
//! The address of the peer proves something only inside a network that you control. `X-Forwarded-For` is a header, and
//! so client input.
//!
//! # Users and identity headers
//!
//! Verify an identity: the signature of a token, the record of a session, a client certificate. A header such as
//! `x-user-id` is safe only if all of this is true:
//!
//! * A proxy authenticates the user, and sets the header.
//! * The proxy removes headers of that name, *and* of its aliases, that the client sent.
//! * No client can bypass the proxy.
//!
//! Systems have failed in these ways:
//!
//! * **Aliases.** CGI-style servers treat `X_User_Id` as `X-User-Id`, and some treat `X.User.Id` in the same way. A
//!   proxy that strips one of them passes the others ([CVE-2026-54763], [CVE-2026-88011]). Reject a request that has an
//!   alias.
//! * **Duplicates.** Of two lines, one program reads the first and another the last. Find them with `get_all`, and
//!   reject the request.
//! * **Normalization.** A value that was trimmed, decoded or truncated is not the value that was verified. Reject it
//!   instead.
//! * **Fallbacks.** A request without an identity got a default user or tenant. A missing identity must stay `None`.
//!
//! The example `identity` rejects aliases, duplicates and values that are not in the usual form. It treats a missing
//! header as no user. Tests send it each of these requests. The example also marks the header as
//! [sensitive](http::HeaderValue::set_sensitive). Then `Debug` of the request does not show it, and HTTP/2 does not
//! index it. [`HeaderPropagator`] marks all headers that it injects, except the trace context and the request id.
//!
//! Do not take an identity from `baggage` or from a trace. Any service on the way can write them.
//!
//! # Which headers to forward
//!
//! [`HeaderPropagator`] copies headers from a request to its outgoing requests, without parsing them. Decide three
//! things:
//!
//! * **From which requests.** A `traceparent` with the sampled flag makes you record traces, and pay for them.
//!   Colliding ids make traces useless ([W3C Trace Context, 7.2]). At a public edge, let the proxy restart traces, or
//!   extract from known peers only, with [`trust_if`].
//! * **How much.** The limits apply to a header with all its lines. A limit per line could be evaded by sending many
//!   lines ([CVE-2026-29181]). Headers above the limits are left out completely, since a truncated list means something
//!   else.
//! * **To which services.** Injected headers go to the service that is called. If the client follows
//!   [redirects](super::propagation#redirects-and-injected-credentials), they also go to the target of the redirect.
//!   For a client that calls third parties, use no propagator, or one that lists only `traceparent`. Do not send third
//!   parties internal headers such as a tenant id.
//!
//! After `RequestIdPolicy::apply`, the propagator ignores the id in the request's header. [`inject`] writes the id that
//! [`RequestContext::id`] returns. [`trust_if`] does not affect the id. So at an edge, one propagator is enough. For
//! each request it propagates the id that this service assigned, and for requests from known peers also the trace:
//!
//! ```
//! # use http::{HeaderMap, Request};
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
//! #         let mut headers = HeaderMap::new();
//! #         outgoing.inject(&mut headers);
//! #         assert_eq!((headers.contains_key("x-request-id"), headers.contains_key("traceparent")), (true, known));
//! #         async { Ok::<_, ()>(Response::new(String::new())) }
//! #     }));
//! #     let request = Request::builder().header("traceparent", "00-1-2-01").extension(Peer(known)).body(()).unwrap();
//! #     assert!(tokio_test::block_on(service.oneshot(request)).is_ok());
//! # }
//! ```
//!
//! # Service mesh
//!
//! A sidecar proxy cannot tell which outgoing request belongs to which incoming one. So Envoy and Istio need the
//! application to forward some headers ([Istio], [Envoy]): always `x-request-id`, then `traceparent` and `tracestate`,
//! the B3 headers for Zipkin, and the headers of other tracers:
//!
//! ```
//! # use http::HeaderMap;
//! use tower_request_context::{HeaderPropagator, RequestContextLayer, RequestIdPolicy};
//!
//! // Zipkin.
//! const B3: [&str; 6] =
//!     ["b3", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags"];
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
//! #     let mut headers = HeaderMap::new();
//! #     mesh.inject(&mut headers);
//! #     assert_eq!(headers["x-request-id"], "from-envoy");
//! #     assert_eq!(headers["x-b3-sampled"], "1");
//! #     assert_eq!(headers.len(), 2);
//! #     async { Ok::<_, ()>(Response::new(String::new())) }
//! # }));
//! # let request = Request::builder().header("x-request-id", "from-envoy");
//! # let request = request.header("x-b3-sampled", "1").header("cookie", "no");
//! # assert!(tokio_test::block_on(service.oneshot(request.body(()).unwrap())).is_ok());
//! ```
//!
//! Forward the headers of the tracers that you run, not all of them.
//!
//! # gRPC `Status` without internal messages
//!
//! The messages of [`ContextError`] and [`CallbackError`] name types, for your logs. In axum, both become an empty 500.
//! In tonic there is no such conversion, and `Status::internal(error.to_string())` sends the message to the client. Log
//! it, and send a fixed message:
//!
//! ```
//! # use tonic::Code;
//! # use tower_request_context::RequestContext;
//! use tonic::{Request, Response, Status};
//!
//! # #[derive(Clone)]
//! # struct UserId(u64);
//! fn internal(error: impl std::error::Error) -> Status {
//!     tracing::error!("{error}");
//!     Status::internal("internal error")
//! }
//!
//! async fn user(_: Request<()>) -> Result<Response<u64>, Status> {
//!     let UserId(id) = RequestContext::try_get().map_err(internal)?;
//!     Ok(Response::new(id))
//! }
//! # let status = tokio_test::block_on(user(Request::new(()))).unwrap_err();
//! # assert_eq!((status.code(), status.message()), (Code::Internal, "internal error"));
//! ```
//!
//! A missing identity is not an internal error: use `Status::unauthenticated` for that.
//!
//! [CVE-2021-45046]: https://nvd.nist.gov/vuln/detail/CVE-2021-45046
//! [CVE-2026-29181]: https://nvd.nist.gov/vuln/detail/CVE-2026-29181
//! [CVE-2026-54763]: https://nvd.nist.gov/vuln/detail/CVE-2026-54763
//! [CVE-2026-88011]: https://nvd.nist.gov/vuln/detail/CVE-2026-88011
//! [Envoy]: https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/observability/tracing#trace-context-propagation
//! [Istio]: https://istio.io/latest/docs/tasks/observability/distributed-tracing/overview/
//! [W3C Trace Context, 7.2]: https://www.w3.org/TR/trace-context/#denial-of-service
//! [`CallbackError`]: crate::CallbackError
//! [`ContextError`]: crate::ContextError
//! [`HeaderPropagator`]: crate::HeaderPropagator
//! [`RequestContext::id`]: crate::RequestContext::id
//! [`RequestId`]: crate::RequestId
//! [`RequestIdPolicy::new`]: crate::RequestIdPolicy::new
//! [`accept_inbound`]: crate::RequestIdPolicy::accept_inbound
//! [`accept_inbound_if`]: crate::RequestIdPolicy::accept_inbound_if
//! [`echo_if_absent`]: crate::RequestIdPolicy::echo_if_absent
//! [`inject`]: crate::HeaderPropagator::inject
//! [`trust_if`]: crate::HeaderPropagator::trust_if
