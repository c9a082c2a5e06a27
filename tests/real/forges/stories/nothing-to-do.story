# What changes nothing live is proven to, and merges on approval all the same.
ana opens words: notes.md = "only words"
it is empty
ben approves it
it is merged
BIND still answers www 192.0.2.1
