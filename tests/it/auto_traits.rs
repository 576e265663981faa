//! Auto traits of the wrapper types.

use std::{
    cell::Cell,
    future::Ready,
    marker::{PhantomData, PhantomPinned},
    sync::MutexGuard,
};

use tower_request_context::{ResponseBody, Run, Scoped, future::ResponseFuture};

/// Returns whether a concrete type implements a trait. If it does, the inherent method takes precedence.
macro_rules! implements {
    ($type:ty: $bound:path) => {{
        struct Check<T>(PhantomData<T>);

        #[allow(dead_code, reason = "only one of the two is called")]
        trait Fallback: Sized {
            fn has_trait(self) -> bool {
                false
            }
        }

        impl<T> Fallback for Check<T> {}

        #[allow(dead_code, reason = "only one of the two is called")]
        impl<T: $bound> Check<T> {
            fn has_trait(self) -> bool {
                self.0 == PhantomData
            }
        }

        Check::<$type>(PhantomData).has_trait()
    }};
}

type WrappedFuture<T> = ResponseFuture<T, Ready<()>>;
type RejectionBody<T> = ResponseBody<Ready<()>, T>;

#[test]
fn wrappers_are_send_sync_and_unpin_if_the_inner_type_is() {
    macro_rules! check {
        ($($wrapper:ident)*) => {
            $(
                check!($wrapper<Ready<()>>: [true, true, true]);
                check!($wrapper<Cell<()>>: [true, false, true]);
                check!($wrapper<MutexGuard<'static, ()>>: [false, true, true]);
                check!($wrapper<PhantomPinned>: [true, true, false]);
            )*
        };
        ($type:ty: $expected:expr) => {
            let found = [implements!($type: Send), implements!($type: Sync), implements!($type: Unpin)];
            assert_eq!(found, $expected, stringify!($type));
        };
    }
    check!(Run Scoped WrappedFuture ResponseBody RejectionBody);
}
