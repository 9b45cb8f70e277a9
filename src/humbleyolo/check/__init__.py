"""Labels looked at before training: findings, contact sheets, advice."""
