# core/config: its sources, for libpenstock.
