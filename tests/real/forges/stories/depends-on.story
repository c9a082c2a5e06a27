# What depends on another waits until that one is merged.
ana opens first: www = 192.0.2.7
ana opens second: mail = 192.0.2.8
ana makes second depend on first
second waits for approval
ben approves second
second waits for "to be merged first"
second is queued
BIND still answers mail 192.0.2.2
first waits for approval
ben approves first
first merges before second
