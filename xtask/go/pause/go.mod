// The sandbox program; it uses the standard library alone.
module example.invalid/discovery-xtask/pause

go 1.26.0
