//! Tenants' layers in the folder backend: `<slug>/tenants/<tenant>/v<N>.yaml`.

use super::folder::{FolderRegistry, entries, version_name};
use super::{RegistryError, VersionFile};
use crate::base::{Name, Slug};
use crate::prompt::Form;

impl FolderRegistry {
    /// The tenants that have a layer over a prompt, in order.
    ///
    /// # Errors
    /// When the folder can not be read.
    pub fn tenants(&self, slug: &Slug) -> Result<Vec<Name>, RegistryError> {
        let folder = self.folder_of(slug, "tenants")?;
        let mut found: Vec<Name> = entries(&folder)?
            .into_iter()
            .filter(|(_, is_folder)| *is_folder)
            .filter_map(|(name, _)| Name::new(&name).ok())
            .collect();
        found.sort();
        Ok(found)
    }

    /// The layers of a tenant, lowest first.
    ///
    /// # Errors
    /// When the folder can not be read.
    pub fn layers(&self, slug: &Slug, tenant: &Name) -> Result<Vec<VersionFile>, RegistryError> {
        let inner = format!("tenants/{tenant}");
        let mut found = Vec::new();
        for (name, is_folder) in entries(&self.folder_of(slug, &inner)?)? {
            let Some((number, Form::Yaml)) = version_name(&name).filter(|_| !is_folder) else {
                continue;
            };
            found.push(VersionFile {
                number,
                form: Form::Yaml,
                name: self.name_of(slug, &format!("{inner}/{name}")),
            });
        }
        found.sort_by_key(|file| file.number);
        Ok(found)
    }
}
