//! The systems that this crate replaces: the behavior that their tests check and their documentation promises.
//!
//! Each behavior has an id: a letter for the system and a number (N26 is nestjs-cls's, F10 fastify's). The tests that
//! show the behavior, here and in other modules, name it in a comment.

mod astro_hono;
mod cls_rtracer;
mod fastify;
mod nestjs_cls;
mod nestjs_recipe;
mod node;
mod sveltekit;
