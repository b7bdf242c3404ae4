import ChatTemplates
import Testing

struct ChatTemplateTests {
}
