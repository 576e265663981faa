//! The systems that this crate replaces: what their tests check and their documents promise, a module for each.

mod astro_hono;
mod cls_rtracer;
mod fastify;
mod nestjs_cls;
mod nestjs_recipe;
mod node;
mod sveltekit;
