# A review approves where policy lets it.
not on local: it has no reviews
policy reviews_count: true
ana opens move-www: www = 192.0.2.7
it waits for approval
it says "192.0.2.7"
ben reviews it as good
it merges
