//! The life of a mold: it imports the application for a whole generation, and forks that generation's workers on order.

use std::io;

use super::life::{Preloaded, work};
use super::site::Site;
use super::{relay_logs, start_logging, title, wanted};
use crate::exit;
use crate::ipc::FromMold;
use crate::master::MoldBorn;
use crate::py::fork::{self, Fork};
use crate::py::loader::{self, LoadError};
use crate::py::{environment, hooks, preload};
use crate::sys;

/// The life of a mold, and of each worker that it forks; returns the worker's exit code.
pub(super) fn cast(site: &mut Site, born: MoldBorn) -> i32 {
    sys::set_title(&title("mold", &born.config, ""));
    sys::ignore_operator();
    sys::unblock_all();
    if !site.follows_master() {
        sys::exit_now(exit::OK);
    }
    let preloaded = match load(site, &born) {
        Ok(preloaded) => preloaded,
        Err(text) => {
            log::error!("The application cannot be loaded:\n{text}");
            born.tell(FromMold::NotLoaded);
            leave(exit::CONFIG)
        }
    };
    born.tell(FromMold::Loaded);
    while let Some(wish) = born.wait() {
        let worker_id = wish.worker_id;
        let announce = |forked: io::Result<i32>| {
            born.tell(match forked {
                Ok(pid) => FromMold::Spawned { worker_id, pid },
                Err(error) => FromMold::NotSpawned { worker_id, errno: error.raw_os_error().unwrap_or_default() },
            });
        };
        sys::block_all();
        match fork::fork_detached(&announce) {
            Ok(Fork::Child) => {
                sys::default_all();
                if !site.is_masters_child() {
                    sys::exit_now(exit::OK);
                }
                return match site.settings_of(&born.config).map(|settings| hooks::reborn(settings, &wish.attributes)) {
                    Some(Err(text)) => {
                        log::error!("Exception in worker process\n{text}");
                        exit::BOOT
                    }
                    Some(Ok(())) | None => work(site, born.into_worker(wish), Some(preloaded)),
                };
            }
            Ok(Fork::Parent { .. }) => sys::unblock_all(),
            Err(error) => {
                sys::unblock_all();
                announce(Err(error));
            }
        }
    }
    leave(exit::OK)
}

fn load(site: &mut Site, born: &MoldBorn) -> Result<Preloaded, String> {
    site.apply(&born.config).and_then(|()| start_logging(&born.config))?;
    if let Some(settings) = site.settings_of(&born.config) {
        hooks::use_settings(settings)?;
    }
    relay_logs(&born.config);
    sys::keep_private(born.descriptors());
    fork::guard()?;
    let loggers = hooks::snapshot()?;
    let wanted = wanted(&born.config).ok_or("No application module specified.")?;
    let application = loader::load(&wanted).map_err(|error| match error {
        LoadError::NotFound(text) | LoadError::Raised(text) => text,
        LoadError::Interrupted => "interrupted".to_owned(),
    })?;
    let threads = fork::other_threads();
    if threads > 0 {
        log::warn!(
            "threads that the application has started while it was imported do not reach the workers: {threads}"
        );
    }
    preload::freeze()?;
    Ok(Preloaded { application, loggers })
}

/// A mold is no worker: what the application registered for its end is not for it.
fn leave(code: i32) -> ! {
    environment::flush_output();
    sys::exit_now(code)
}
