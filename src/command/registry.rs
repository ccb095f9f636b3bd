//! From the name of a registry to the registry: a folder of the project, or a PostgreSQL database
//! that the owner of the machine allows.

use std::sync::{Arc, PoisonError};

use super::error::CommandError;
use super::project::Project;
use crate::store::ProjectRoot;
use crate::store::registry::address::{self, AddressError};
use crate::store::registry::{Address, Backend, FolderRegistry};

/// Who named a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// The owner of the machine, by a flag or a variable.
    ByOwner,
    /// A file of the project, which may come from a pull request.
    InFile,
}

/// The registry of that name.
///
/// # Errors
/// When a folder leaves the project, an address is wrong, or its host is not allowed.
pub fn open(
    project: &Project,
    root: &ProjectRoot,
    (location, named): (&str, Named),
) -> Result<Arc<dyn Backend>, CommandError> {
    if !address::is_address(location) {
        return Ok(Arc::new(FolderRegistry::new(root, location)?));
    }
    let address = Address::parse(location).map_err(|error| address_error(&error))?;
    // The password goes to the host, so a file may not choose it.
    if named == Named::InFile && !address.is_allowed(&project.permissions.hosts) {
        return Err(CommandError::usage(
            format!("the registry's host `{}` is not allowed", address.host),
            format!(
                "allow it with --allow-host {}, if you trust the project, or name the registry with --registry",
                address.host
            ),
        ));
    }
    let mut opened = project
        .opened
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = opened.get(address.as_str()) {
        return Ok(Arc::clone(known));
    }
    let made: Arc<dyn Backend> = Arc::new(connect(project, &address)?);
    opened.insert(address.to_string(), Arc::clone(&made));
    Ok(made)
}

fn address_error(error: &AddressError) -> CommandError {
    CommandError::usage(error.to_string(), error.help())
}

/// The registry at an address, as the address's user or that of the environment.
#[cfg(feature = "postgres")]
fn connect(
    project: &Project,
    address: &Address,
) -> Result<crate::store::registry::PostgresRegistry, CommandError> {
    let from_environment = || {
        ["PGUSER", "USER"]
            .iter()
            .find_map(|name| project.variable(name))
    };
    let user = address
        .user
        .clone()
        .or_else(from_environment)
        .ok_or_else(|| {
            CommandError::usage(
                format!("{address} names no user"),
                "write postgres://user@host/database, or set PGUSER",
            )
        })?;
    let password = project.secret("PGPASSWORD");
    Ok(crate::store::registry::PostgresRegistry::new(
        address.clone(),
        user,
        password,
        project.client_options().roots,
    ))
}

/// Says what a program without the feature can not do.
#[cfg(not(feature = "postgres"))]
fn connect(_project: &Project, address: &Address) -> Result<FolderRegistry, CommandError> {
    Err(CommandError::usage(
        format!("{address}: this program was built without PostgreSQL"),
        "use a release build, or build it with: cargo install promptgate --features postgres",
    ))
}

/// Makes the tables, functions and roles of a registry where there are none; its address, and whether
/// there were none.
///
/// # Errors
/// When the registry is a folder, can not be reached, or does not allow it.
pub fn migrate(project: &Project, location: &str, named: Named) -> Result<bool, CommandError> {
    let registry = open(project, &project.root, (location, named))?;
    if registry.is_in_project() {
        return Err(CommandError::usage(
            format!("the registry {location}/ is a folder, which needs no schema"),
            "name a database: --registry postgres://user@host/database",
        ));
    }
    Ok(registry.migrate()?)
}
