package main

import (
	"fmt"
	"strings"
	"time"
)

// starts are ordinary times.
var starts = []string{"2024-02-28T23:59:59Z", "2025-06-15T12:34:56Z", "2025-12-31T00:00:00Z"}

// chosen are expressions that show a rule each.
var chosen = []string{
	"0 2 * * *", "*/15 * * * *", "5/20 * * * *", "10-40/10 * * * *", "*/7 */5 * * *", "59 23 31 12 *",
	"0 0 29 2 *", "0 0 30 2 *", "0 0 31 * *", "0 0 31 2,4,6,9,11 *", "0 0 1 1 *", "? ? ? ? ?",
	"0 0 ? * 1", "0 0 * * ?", "* * * * *", "*/1 * * * *", "*/2 * * * *",
	// Days of the month and of the week: either, or both where one has the bit of the star.
	"0 0 13 * 5", "0 0 * * 5", "0 0 */1 * 5", "0 0 */2 * 5", "0 0 13 * */1", "0 0 13 * */2", "0 0 1-31 * 5",
	"0 0 13 * 0-6", "0 0 13 * *,5", "0 0 13,* * 5", "0 0 */2,* * 5", "0 0 *-5 * 5", "0 0 ?-5 * 5", "0 0 13 * *-5",
	"0 0 */40 * 5", "0 0 13 * 3/2", "0 0 13 2 1", "0 0 29 2 1", "0 0 31 2 0",
	// Names, in any case.
	"0 0 * jan *", "0 0 * JAN-mar *", "0 0 * Dec MON", "0 0 * * sun", "0 0 * * SUN-sat", "0 0 * * mon,wed,Fri",
	"0 0 * feb,apr/3 *", "0 0 * * tue/2", "0 0 * jan-dec/5 thu",
	// Parts of lists, and what is no number to most people.
	"1,2,,3 * * * *", ",5 * * * *", "5, * * * *", "+5 * * * *", "05 002 * * *", "0-0 0-0 * * *", "*/59 * * * *",
	"*/60 * * * *", "*/100 * * * *", "5-10/100 * * * *", "*-99 * * * *", "*-x * * * *", "*-5/2 * * * *", "*-5-9 * * * *",
	"?/3 * * * *", "59/2 * * * *", "0 23/5 * * *", "5-5/1 * * * *",
	// White space.
	" 0 2 * * *", "0 2 * * * ", "0\t2  * *  *", "CRON_TZ=UTC   0 2 * * *", "TZ=UTC 0 2 * * * ", "CRON_TZ=UTC  @daily ",
	// Descriptors.
	"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly",
	"CRON_TZ=Asia/Tokyo @daily", "TZ=America/New_York @weekly", "CRON_TZ=Asia/Kolkata @hourly",
	"@every 1s", "@every 90s", "@every 1h30m", "@every 1.5h", "@every 1m0.9s", "@every 24h", "@every 8760h",
	"@every 1h1us", "@every +2h", "CRON_TZ=Asia/Tokyo @every 6h",
}

// mistakes are no expressions, or some that one would take for none.
var mistakes = []string{
	"", " ", "*", "* * * *", "* * * * * *", "0 0 2 * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *",
	"* * * 0 *", "* * * 13 *", "* * * * 7", "* * * * 0-7", "-1 * * * *", "1- * * * *", "-5 * * * *", "5-1 * * * *",
	"1-2-3 * * * *", "1/2/3 * * * *", "*/0 * * * *", "*/ * * * *", "/5 * * * *", "*/-1 * * * *", "*/x * * * *",
	"x * * * *", "** * * * *", "*5 * * * *", "1.5 * * * *", "0x5 * * * *", "5_0 * * * *", "٥ * * * *", "1;2 * * * *",
	"* * * mon *", "* * * * jan", "* * * january *", "* * * * monday", "* * L * *", "* * 15W * *", "* * * * 5#2",
	"jan * * * *", "* * * jan/x *", "* * * * sat-sun", "* * * nov-feb *", "0 0 99999999999999999999 * *",
	"4294967296 * * * *", "18446744073709551616 * * * *", "*/4294967297 * * * *", "*/99999999999999999999 * * * *",
	"@", "@reboot", "@Daily", "@daily ", " @daily", "@hourly 5", "@every", "@every ", "@every 5", "@every x", "@every 1d",
	"@every  1h", "@every 1h ", "@every 1 h", "@every1h", "@EVERY 1h", "@every 9999999999h", "@every -x",
	"CRON_TZ= 0 2 * * *", "TZ= 0 2 * * *", "CRON_TZ=UTC 0 2 * *", "cron_tz=UTC 0 2 * * *", "CRON_TZ=UTC TZ=UTC 0 2 * * *",
	" CRON_TZ=UTC 0 2 * * *", "CRON_TZ=UTC\t0 2 * * *", "CRON_TZ=UTC ", "TZ=UTC @", "0 2 * * * CRON_TZ=UTC",
	"CRON_TZ UTC 0 2 * * *", "XTZ=UTC 0 2 * * *", "TZ =UTC 0 2 * * *", "CRON_TZ=\tUTC 0 2 * * *",
}

// oddZones are names of zones, and what is none.
var oddZones = []string{
	"CRON_TZ=Mars/Base", "CRON_TZ=Europe", "CRON_TZ=europe/berlin", "TZ=utc", "TZ=EUROPE/BERLIN", "TZ=../etc/passwd",
	"TZ=/Europe/Berlin", "TZ=Europe/Berlin/", "TZ=+02:00", "TZ=UTC+2", "TZ=Etc/GMT+2", "TZ=GMT", "TZ=Etc/UTC", "TZ=Zulu",
	"TZ=US/Eastern", "TZ=EST5EDT", "TZ=Asia/Calcutta", "TZ=Asia/Kathmandu", "TZ=Pacific/Kiritimati", "TZ=Pacific/Chatham",
	"TZ=America/Argentina/Buenos_Aires", "TZ=CEST", "TZ=PST",
}

// around are what meets changes of the clocks: at midnight, at one, two and three, and all the time.
var around = []string{
	"0 0 * * *", "30 0 * * *", "59 23 * * *", "0 1 * * *", "15 1 * * *", "30 1 * * *", "45 1 * * *", "0 2 * * *",
	"15 2 * * *", "30 2 * * *", "0 3 * * *", "0 * * * *", "30 * * * *", "*/15 * * * *", "*/20 1,2 * * *", "0 */2 * * *",
	"0 */4 * * *", "0 0,12 * * *", "30 1-3 * * sun", "0 0 * * 0", "0 0 1 * *", "0 2 1-7 * sun", "5 * * * 0,1",
	"* 2 * * *", "@daily", "@hourly", "@weekly", "@monthly", "@every 45m",
}

// distances are how long before a change is asked.
var distances = []time.Duration{
	0, time.Second, 10 * time.Minute, 45 * time.Minute, 2 * time.Hour, 3*time.Hour + time.Second, 26 * time.Hour,
	-time.Second, -20 * time.Minute, -time.Hour,
}

// zone is a zone, and when its clocks were changed.
type zone struct {
	name    string
	changes []string
}

var zones = []zone{
	{"UTC", nil},
	{"Europe/Berlin", []string{"2024-03-31T01:00:00Z", "2024-10-27T01:00:00Z", "2025-03-30T01:00:00Z", "2025-10-26T01:00:00Z"}},
	{"Europe/London", []string{"2024-03-31T01:00:00Z", "2025-10-26T01:00:00Z"}},
	{"America/New_York", []string{"2024-03-10T07:00:00Z", "2024-11-03T06:00:00Z", "2025-11-02T06:00:00Z"}},
	// By half an hour.
	{"Australia/Lord_Howe", []string{"2024-04-06T15:00:00Z", "2024-10-05T15:30:00Z", "2025-04-05T15:00:00Z"}},
	// At midnight.
	{"America/Sao_Paulo", []string{"2017-10-15T03:00:00Z", "2018-02-18T02:00:00Z", "2018-11-04T03:00:00Z", "2019-02-17T02:00:00Z"}},
	{"Asia/Beirut", []string{"2019-03-30T22:00:00Z", "2019-10-26T21:00:00Z", "2021-03-27T22:00:00Z"}},
	// A day that there was not, and a zone an hour off its neighbours once and for all.
	{"Pacific/Apia", []string{"2011-12-30T10:00:00Z"}},
	{"Africa/Casablanca", []string{"2018-05-13T02:00:00Z", "2018-06-17T02:00:00Z"}},
	{"Asia/Kolkata", nil},
}

const alphabet = "0123456789*/-,? abSUNjan@"

// expression makes a random one that is mostly right.
func (t *table) expression() string {
	if t.random.Intn(40) == 0 {
		return fmt.Sprintf("@every %dm", 1+t.random.Intn(3000))
	}
	fields := []string{
		t.field(0, 59, nil), t.field(0, 23, nil), t.field(1, 31, nil),
		t.field(1, 12, []string{"jan", "FEB", "mar", "apr", "May", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}),
		t.field(0, 6, []string{"sun", "MON", "tue", "wed", "Thu", "fri", "sat"}),
	}
	return strings.Join(fields, " ")
}

func (t *table) field(low, high int, names []string) string {
	if t.random.Intn(3) == 0 {
		return "*"
	}
	parts := make([]string, 1+t.random.Intn(3)*t.random.Intn(2))
	for i := range parts {
		parts[i] = t.part(low, high, names)
	}
	return strings.Join(parts, ",")
}

func (t *table) part(low, high int, names []string) string {
	value := func(from int) (int, string) {
		number := from + t.random.Intn(high-from+1)
		if names != nil && t.random.Intn(2) == 0 {
			return number, names[number-low]
		}
		return number, fmt.Sprint(number)
	}
	first, text := value(low)
	switch t.random.Intn(6) {
	case 0:
		text = "*"
	case 1:
		text = "?"
	case 2:
		_, last := value(first)
		text += "-" + last
	}
	if t.random.Intn(4) == 0 {
		text += fmt.Sprintf("/%d", 1+t.random.Intn((high-low)/2+1))
	}
	return text
}
