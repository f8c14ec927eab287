//! Manifests, snapshots, leases: the backup target's layout.
