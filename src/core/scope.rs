//! Scopes of a launch and their precedence.

use crate::model::name::{Level, Name, Scope};

/// Scopes in force: always the team; a project and a cluster if they were named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes {
    /// The project of this launch.
    pub project: Option<Name>,
    /// The cluster of this launch.
    pub cluster: Option<Name>,
}

impl Scopes {
    /// Lists the scopes in force, narrowest first: project wins over cluster, cluster over team.
    pub fn in_force(&self) -> Vec<Scope> {
        let project = self.project.clone().map(Scope::Project);
        let cluster = self.cluster.clone().map(Scope::Cluster);
        project
            .into_iter()
            .chain(cluster)
            .chain([Scope::Team])
            .collect()
    }

    /// Lists the scopes that a reference searches, narrowest first: the one that it names, or all
    /// in force.
    ///
    /// # Errors
    /// The level that the reference names, if this launch has no scope of that level.
    pub fn searched(&self, level: Option<Level>) -> Result<Vec<Scope>, Level> {
        let mut scopes = self.in_force();
        if let Some(level) = level {
            scopes.retain(|scope| scope.level() == level);
            if scopes.is_empty() {
                return Err(level);
            }
        }
        Ok(scopes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrowest_first() {
        let name = |text: &str| Name::new(text.as_bytes());
        let scopes = Scopes {
            project: name("web"),
            cluster: name("eu"),
        };
        let shown: Vec<_> = scopes.in_force().iter().map(Scope::to_string).collect();
        assert_eq!(shown, ["project/web", "cluster/eu", "team"]);
        assert_eq!(scopes.searched(Some(Level::Cluster)).unwrap().len(), 1);
        assert_eq!(
            Scopes::default().searched(Some(Level::Project)),
            Err(Level::Project)
        );
        assert_eq!(Scopes::default().in_force(), [Scope::Team]);
    }
}
