//! The main job, whole, by the built binary on real stores: mirror, lock, restore, and all that lies between.

mod adopt;
mod album;
mod alone;
mod changes;
mod credentials;
mod day_two;
mod drift;
mod elsewhere;
mod forecast;
mod format;
mod forty;
mod guards;
mod output;
mod refusals;
mod state;
mod two_runs;
mod whole;
