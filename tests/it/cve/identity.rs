//! Aliases of an identity header.

use http::StatusCode;

use crate::examples::identity::{PROXY, ask};

// F18: a proxy that removes one spelling of the name forwards the others.
#[tokio::test]
async fn cve_2026_54763_cve_2026_88011_identity_alias_is_rejected() {
    for alias in
        ["x_user_id", "X_User_Id", "x.user.id", "X.User.Id", "x-user_id", "x_user.id", "x|user|id", "x~User*Id"]
    {
        for headers in [format!("{alias}: 1\r\n"), format!("{alias}: 1\r\nx-user-id: 7\r\n")] {
            assert_eq!(ask(PROXY, &headers).await.0, StatusCode::BAD_REQUEST, "{headers}");
        }
    }
}
