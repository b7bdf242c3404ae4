import FlyingFox
import Reports
import Runs
