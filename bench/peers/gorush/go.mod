module knuckle/bench/peers/gorush

go 1.25

require github.com/appleboy/gorush v1.22.0

// gorush's own replacement, which holds only in its own module.
replace github.com/msalihkarakasli/go-hms-push => github.com/spawn2kill/go-hms-push v0.0.0-20211125124117-e20af53b1304
