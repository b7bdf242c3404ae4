import LivePage
import Testing
