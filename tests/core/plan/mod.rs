//! Planning: diff, order, batching, digest, way back, lint.
