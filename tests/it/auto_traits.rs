//! What the wrappers are, as what they wrap is.

use std::{
    cell::Cell,
    future::Ready,
    marker::{PhantomData, PhantomPinned},
    sync::MutexGuard,
};

use tower_request_context::{ResponseBody, Run, Scoped, future::ResponseFuture};

/// Tells whether a type that is spelled out has a trait: where it has, the inherent method comes first.
macro_rules! is {
    ($type:ty: $bound:path) => {{
        struct Asked<T>(PhantomData<T>);

        #[allow(dead_code, reason = "one of the two answers is not given")]
        trait Otherwise: Sized {
            fn answer(self) -> bool {
                false
            }
        }

        impl<T> Otherwise for Asked<T> {}

        #[allow(dead_code, reason = "one of the two answers is not given")]
        impl<T: $bound> Asked<T> {
            fn answer(self) -> bool {
                self.0 == PhantomData
            }
        }

        Asked::<$type>(PhantomData).answer()
    }};
}

type Response<T> = ResponseFuture<T, Ready<()>>;
type Refusal<T> = ResponseBody<Ready<()>, T>;

#[test]
fn wrappers_are_send_sync_and_unpin_as_what_they_wrap_is() {
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
            assert_eq!([is!($type: Send), is!($type: Sync), is!($type: Unpin)], $expected, stringify!($type));
        };
    }
    check!(Run Scoped Response ResponseBody Refusal);
}
