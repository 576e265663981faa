//! The two services, as a program.

use axum::body::Body;
use http::{Request, Version};
use tokio::net::TcpListener;

use crate::{
    example::{Example, error_message, guarded, stdout},
    support::{client, text},
};

const TWO_SERVICES: Example<'_> = Example("two_services");

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test]
async fn each_hop_prints_the_same_headers_with_a_generated_id() {
    let output = TWO_SERVICES.once("0").await;
    let printed = stdout(&output);
    let lines: Vec<_> = printed.lines().collect();
    let &[heading, _curl, gateway, backend, audit, "200 OK", echoed, "tom is asleep", ..] = lines.as_slice() else {
        panic!("{printed}");
    };
    assert!(heading.starts_with("hop "), "{heading}");
    let id = words(gateway, "gateway")[0];
    assert_eq!(id.len(), 36, "not the client's `made-up`: {id}");
    assert_eq!(echoed, format!("x-request-id: {id}"));
    for (hop, line) in [("gateway", gateway), ("backend", backend), ("audit", audit)] {
        assert_eq!(words(line, hop), [id, "cats-and-co", "shop=42", TRACE]);
        assert_eq!(line.find(TRACE), heading.find("traceparent"), "columns are aligned");
    }
    assert_eq!(output.status.code(), Some(0));
}

#[tokio::test]
async fn a_port_in_use_and_an_unknown_argument_are_one_line_errors() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = taken.local_addr().unwrap();
    let message = error_message(&TWO_SERVICES.once(&address.port().to_string()).await);
    assert!(message.starts_with(&format!("cannot listen on {address}: ")), "{message}");
    let message = error_message(&TWO_SERVICES.run("0", &["--twice"]).await);
    assert_eq!(message, r#"the only argument accepted is --once, not "--twice""#);
}

#[cfg(unix)]
#[tokio::test]
async fn its_curl_command_works_until_ctrl_c() {
    let mut serving = TWO_SERVICES.serve();
    serving.line_after("Serving until Ctrl-C.").await;
    let command = serving.line_after("curl ").await;
    let (headers, uri) = command.rsplit_once(' ').unwrap();
    let headers: Vec<_> = headers.split('\'').filter_map(|header| header.split_once(": ")).collect();
    assert_eq!(headers.len(), 4, "{command}");

    let client = client(Version::HTTP_11);
    let mut ids = Vec::new();
    for tenant in ["cats-and-co", "dogs-and-co"] {
        let request = headers.iter().fold(Request::get(uri), |request, (name, value)| {
            request.header(*name, if *name == "x-tenant" { tenant } else { value })
        });
        let response = guarded(client.request(request.body(Body::empty()).unwrap())).await.unwrap();
        let echoed = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        assert_eq!(guarded(text(response)).await, "tom is asleep\n");
        for hop in ["gateway", "backend", "audit"] {
            assert_eq!(words(&serving.next_line().await, hop), [&echoed, tenant, "shop=42", TRACE]);
        }
        ids.push(echoed);
    }
    assert_ne!(ids[0], ids[1]);
    assert_eq!(serving.interrupt().await.code(), Some(0));
}

/// Returns the columns after the name of the hop.
fn words<'a>(line: &'a str, hop: &str) -> Vec<&'a str> {
    let columns = line.strip_prefix(hop).unwrap_or_else(|| panic!("not a line of the {hop}: {line}"));
    columns.split_whitespace().collect()
}
