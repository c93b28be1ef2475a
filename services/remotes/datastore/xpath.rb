#!/usr/bin/env python3
# xpath.rb [-b DOCUMENT64 | -s] [-t] XPATH...: prints texts of a document, a NUL behind each.
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lib"))
import driver
import ds_xpath

driver.main(ds_xpath.main)
