module knuckle/bench/peers/apns2

go 1.25

require github.com/sideshow/apns2 v0.25.0
