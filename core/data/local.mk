# core/data: its sources, for libpenstock.
