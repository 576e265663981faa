//! The systems that this crate replaces: what their tests check and their documents promise, a module for each.
//!
//! Each behaviour has a short name, a letter for the system and a number (N26 is nestjs-cls's, F10 fastify's), which
//! stands above the tests that show it, here and elsewhere.

mod astro_hono;
mod cls_rtracer;
mod fastify;
mod nestjs_cls;
mod nestjs_recipe;
mod node;
mod sveltekit;
