# What other people's clients were seen to do: checks that are counted, so that none of them can be passed over unseen.

count = 0


def check(condition, what):
    global count
    if not condition:
        raise AssertionError(what)
    count += 1


def tell_checks():
    print(f"ok {count}")
