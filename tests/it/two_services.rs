//! The two services, run as a user would run them.

use axum::body::Body;
use http::{Request, Version};
use tokio::net::TcpListener;

use crate::{
    example::{Example, guarded, refusal, stdout},
    support::{client, text},
};

const TWO_SERVICES: Example<'_> = Example("two_services");

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test]
async fn each_hop_prints_the_same_id_tenant_state_and_trace_and_the_edge_has_made_the_id() {
    let output = TWO_SERVICES.once("0").await;
    let printed = stdout(&output);
    let lines: Vec<_> = printed.lines().collect();
    let &[heading, gateway, backend, second_hop, "", "The gateway answered: tom is asleep"] = lines.as_slice() else {
        panic!("{printed}");
    };
    assert!(heading.starts_with("hop "), "{heading}");
    let id = words(gateway, "gateway")[0];
    assert_eq!(id.len(), 36, "not the client's `made-up`: {id}");
    for (hop, line) in [("gateway", gateway), ("backend", backend), ("second hop", second_hop)] {
        assert_eq!(words(line, hop), [id, "cats-and-co", "shop=42", TRACE]);
        assert_eq!(line.find(TRACE), heading.find("traceparent"), "columns are aligned");
    }
    assert_eq!(output.status.code(), Some(0));
}

#[tokio::test]
async fn a_port_in_use_and_an_unknown_argument_are_one_sentence_and_exit_code_1() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = taken.local_addr().unwrap();
    let sentence = refusal(&TWO_SERVICES.once(&address.port().to_string()).await);
    assert!(sentence.starts_with(&format!("cannot listen on {address}: ")), "{sentence}");
    let sentence = refusal(&TWO_SERVICES.run("0", &["--twice"]).await);
    assert_eq!(sentence, r#"the only argument accepted is --once, not "--twice""#);
}

#[cfg(unix)]
#[tokio::test]
async fn it_serves_what_its_curl_line_asks_for_until_it_is_interrupted() {
    let mut serving = TWO_SERVICES.serve();
    let invitation = serving.line_after("curl ").await;
    let (uri, headers) = invitation.split_once(' ').unwrap();
    let headers: Vec<_> = headers.split('\'').filter_map(|header| header.split_once(": ")).collect();
    assert_eq!(headers.len(), 4, "{invitation}");
    serving.line_after("hop ").await;

    let client = client(Version::HTTP_11);
    let mut ids = Vec::new();
    for tenant in ["cats-and-co", "dogs-and-co"] {
        let request = headers.iter().fold(Request::get(uri), |request, (name, value)| {
            request.header(*name, if *name == "x-tenant" { tenant } else { value })
        });
        let answer = guarded(client.request(request.body(Body::empty()).unwrap())).await.unwrap();
        let echoed = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        assert_eq!(guarded(text(answer)).await, "tom is asleep\n");
        for hop in ["gateway", "backend", "second hop"] {
            assert_eq!(words(&serving.next_line().await, hop), [&echoed, tenant, "shop=42", TRACE]);
        }
        ids.push(echoed);
    }
    assert_ne!(ids[0], ids[1]);
    assert_eq!(serving.interrupt().await.code(), Some(0));
}

/// What stands behind the name of the hop.
fn words<'a>(line: &'a str, hop: &str) -> Vec<&'a str> {
    let seen = line.strip_prefix(hop).unwrap_or_else(|| panic!("a line of the {hop}: {line}"));
    seen.split_whitespace().collect()
}
